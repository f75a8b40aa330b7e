//! Resource kinds and how they are loaded.
