"""containerd's store: blobs, two bolt databases, and snapshots."""
