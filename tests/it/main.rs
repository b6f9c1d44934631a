
mod canon;
mod delta;
mod source;
