//! Identity of processes: SPIFFE ids, certificates and their rotation, TLS configurations.
