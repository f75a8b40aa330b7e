//! What Dapr's scheduler stores and refuses, and jobs on their way.
mod running;
mod simulation;
mod vectors;
mod world;
