"""The commands of ``aguante``, one file each."""
