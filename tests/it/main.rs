//! The one test binary. Every file of this folder has its line here; a test
//! (`architecture`) sees to it.

mod architecture;
