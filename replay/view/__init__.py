"""The web page over a tape (`tapedeck view`): what lies where in it, its state at any record, and the server."""
