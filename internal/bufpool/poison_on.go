// Poisoned pools, for tests: a buffer that goes back is overwritten, so that a use after free reads rubbish instead of luck.

//go:build poison

package bufpool

// Poison says whether pools overwrite what they take back with 0xDB, and whether mem re-uses its Buffer objects (it does not then,
// so that every use of a freed Buffer panics). It is chosen by the build tag poison.
const Poison = true
