"""What a restated file would change, worked out before anybody accepts it; nothing is committed."""
