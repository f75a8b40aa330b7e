//! Jobs and reminders at their time.
