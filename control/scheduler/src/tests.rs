//! What Dapr's scheduler stores and refuses, and jobs on their way.
mod running;
mod vectors;
mod world;
