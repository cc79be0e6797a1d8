// Package layout has no code: its tests hold the tree to the rules of its structure,
// such as which packages may not import which, and that every package has a comment.
package layout
