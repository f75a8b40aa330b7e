//! Conversations with large language models.
