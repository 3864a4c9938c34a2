"""The commands of deskpulse, one small file each."""
