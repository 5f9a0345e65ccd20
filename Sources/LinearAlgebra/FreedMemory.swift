import CKernels

/// What becomes of memory that is freed.
package enum FreedMemory {
  /// Keeps it for what comes next, up to 256 MiB of it: arrays of some megabytes come and go with every batch, and glibc would
  /// hand each back to the system, which clears its pages anew. That took a third of the time of convolutional training. For
  /// programs, not for libraries inside of others.
  package static func keep() { fenchel_keep_freed_memory() }
}
