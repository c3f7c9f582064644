"""Lists of known mines, dams, titles and lands: readers, snapshots, matching."""
