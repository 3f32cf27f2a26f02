"""post: the day's instructions become double entries, platform by platform, and the day's snapshots."""
