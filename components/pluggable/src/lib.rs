//! Components in other processes, behind Unix sockets.
