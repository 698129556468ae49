//! Two nodes in one process, over loopback sockets.
