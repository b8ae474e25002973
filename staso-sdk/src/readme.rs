#![doc = include_str!("../../README.md")]
//! Compiled as documentation tests alone, so that what the README shows is known to build.
