"""Values to text, pictures and widgets."""
