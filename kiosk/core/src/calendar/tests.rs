//! Stories of the calendar.
