//! Placement of actors on hosts.
