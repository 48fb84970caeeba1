"""Files in, core values out: nothing else happens here."""
