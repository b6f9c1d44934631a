mod embedded;
mod embedded_faults;
mod support;
