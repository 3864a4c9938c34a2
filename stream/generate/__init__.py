"""Assets generated from the code, committed and checked for drift."""
