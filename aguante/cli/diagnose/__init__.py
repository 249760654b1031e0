"""What ``aguante doctor`` checks."""
