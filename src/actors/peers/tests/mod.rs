//! Signed requests and answers against vectors made by others, and every way to get one wrong.
