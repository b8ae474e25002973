//! The support agent for real: its tests, its tickets, its faults and the spans it sends.
