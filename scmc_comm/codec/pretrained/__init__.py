"""Published networks in the place of the shipped ones; libraries are imported when one loads."""
