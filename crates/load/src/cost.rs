//! What processes cost, read from `/proc`: CPU time, memory, context switches.
