// The normal build: pools leave the buffers that they take back as they are.

//go:build !poison

package bufpool

// Poison says whether pools overwrite what they take back with 0xDB, and whether mem re-uses its Buffer objects (it does not then,
// so that every use of a freed Buffer panics). It is chosen by the build tag poison.
const Poison = false
