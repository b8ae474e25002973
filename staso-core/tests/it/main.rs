//! Tests of the public interface.

mod quick;
