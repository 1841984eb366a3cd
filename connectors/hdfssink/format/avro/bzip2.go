package avro

import (
	"slices"
)

// bzip2Codec writes blocks in the format of bzip2 1.0, with one Huffman code per block of
// it: readers take it, at some cost in size.
type bzip2Codec struct {
	out  bitWriter
	runs []byte
	sort rotationSort
	mtf  []uint16
}

const (
	bzip2BlockMagic = 0x314159265359
	bzip2EndMagic   = 0x177245385090
	// bzip2MaxInput is what surely fits into one block of 900000 bytes: runs of four
	// become five bytes.
	bzip2MaxInput = 700_000
	bzip2MaxCode  = 17 // bits of a Huffman code
	bzip2PerGroup = 50 // symbols per selector
)

func (*bzip2Codec) name() string { return codecBzip2 }

func (c *bzip2Codec) append(dst, block []byte) ([]byte, error) {
	c.out = bitWriter{dst: append(dst, "BZh9"...)}
	var all uint32
	for len(block) > 0 {
		part := block[:min(len(block), bzip2MaxInput)]
		block = block[len(part):]
		crc := bzip2CRC(part)
		all = (all<<1 | all>>31) ^ crc
		c.block(part, crc)
	}
	c.out.write(bzip2EndMagic>>24, 24)
	c.out.write(bzip2EndMagic&0xFFFFFF, 24)
	c.out.write(uint64(all), 32)
	c.out.align()
	return c.out.dst, nil
}

// block writes one block of bzip2.
func (c *bzip2Codec) block(part []byte, crc uint32) {
	c.runs = appendRuns(c.runs[:0], part)
	last, origin := c.sort.transform(c.runs)
	c.out.write(bzip2BlockMagic>>24, 24)
	c.out.write(bzip2BlockMagic&0xFFFFFF, 24)
	c.out.write(uint64(crc), 32)
	c.out.write(0, 1) // not randomised
	c.out.write(uint64(origin), 24)
	used := c.alphabet(last)
	c.moveToFront(last, used)
	c.symbols(len(used) + 2)
}

// appendRuns replaces runs of 4 to 255 equal bytes by four of them and a count of more.
func appendRuns(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		n := 1
		for n < 255 && i+n < len(src) && src[i+n] == src[i] {
			n++
		}
		for range min(n, 4) {
			dst = append(dst, src[i])
		}
		if n >= 4 {
			dst = append(dst, byte(n-4))
		}
		i += n
	}
	return dst
}

// alphabet writes which bytes there are, and returns them in order.
func (c *bzip2Codec) alphabet(b []byte) []byte {
	var present [256]bool
	for _, x := range b {
		present[x] = true
	}
	var used []byte
	var rows [16]uint64
	var top uint64
	for x, ok := range present {
		if ok {
			used = append(used, byte(x))
			rows[x/16] |= 1 << (15 - x%16)
			top |= 1 << (15 - x/16)
		}
	}
	c.out.write(top, 16)
	for _, row := range rows {
		if row != 0 {
			c.out.write(row, 16)
		}
	}
	return used
}

// moveToFront makes symbols of bytes: 0 and 1 are the digits of the length of a run of
// the front byte, in a bijective binary form; the others are positions plus one.
func (c *bzip2Codec) moveToFront(b, used []byte) {
	c.mtf = c.mtf[:0]
	front := slices.Clone(used)
	run := 0
	flush := func() {
		for ; run > 0; run = (run - 1) / 2 {
			c.mtf = append(c.mtf, uint16((run-1)&1))
		}
	}
	for _, x := range b {
		if front[0] == x {
			run++
			continue
		}
		flush()
		i := slices.Index(front, x)
		copy(front[1:i+1], front[:i])
		front[0] = x
		c.mtf = append(c.mtf, uint16(i+1))
	}
	flush()
	c.mtf = append(c.mtf, uint16(len(used)+1)) // end of block
}

// symbols writes the codes and then the symbols. The format wants two codes at least, so
// the same one is there twice.
func (c *bzip2Codec) symbols(alphabet int) {
	frequency := make([]int, alphabet)
	for _, s := range c.mtf {
		frequency[s]++
	}
	lengths := codeLengths(frequency)
	selectors := (len(c.mtf) + bzip2PerGroup - 1) / bzip2PerGroup
	c.out.write(2, 3)
	c.out.write(uint64(selectors), 15)
	for range selectors {
		c.out.write(0, 1)
	}
	for range 2 {
		n := lengths[0]
		c.out.write(uint64(n), 5)
		for _, want := range lengths {
			for ; n < want; n++ {
				c.out.write(0b10, 2)
			}
			for ; n > want; n-- {
				c.out.write(0b11, 2)
			}
			c.out.write(0, 1)
		}
	}
	codes := canonicalCodes(lengths)
	for _, s := range c.mtf {
		c.out.write(uint64(codes[s]), lengths[s])
	}
}

// codeLengths returns the lengths of a Huffman code. Codes that get too long are avoided
// by making frequencies more alike.
func codeLengths(frequency []int) []int {
	weights := make([]int, len(frequency))
	for i, f := range frequency {
		weights[i] = max(f, 1)
	}
	for {
		lengths := huffman(weights)
		if slices.Max(lengths) <= bzip2MaxCode {
			return lengths
		}
		for i := range weights {
			weights[i] = weights[i]/2 + 1
		}
	}
}

// huffman merges the two lightest trees until one is left: with the leaves sorted, the
// merged ones come out in order by themselves.
func huffman(weights []int) []int {
	n := len(weights)
	leaves := make([]int, n)
	for i := range leaves {
		leaves[i] = i
	}
	slices.SortFunc(leaves, func(a, b int) int { return weights[a] - weights[b] })
	weight := append(slices.Clone(weights), make([]int, n-1)...)
	parent := make([]int, 2*n-1)
	leaf, inner := 0, n
	for next := n; next < 2*n-1; next++ {
		for range 2 {
			var lightest int
			if inner >= next || leaf < n && weight[leaves[leaf]] <= weight[inner] {
				lightest = leaves[leaf]
				leaf++
			} else {
				lightest = inner
				inner++
			}
			weight[next] += weight[lightest]
			parent[lightest] = next
		}
	}
	depth := make([]int, 2*n-1)
	for i := 2*n - 3; i >= 0; i-- {
		depth[i] = depth[parent[i]] + 1
	}
	return depth[:n]
}

// canonicalCodes numbers the codes by length, then by symbol.
func canonicalCodes(lengths []int) []uint32 {
	codes := make([]uint32, len(lengths))
	code := uint32(0)
	for n := 1; n <= bzip2MaxCode; n++ {
		for i, l := range lengths {
			if l == n {
				codes[i] = code
				code++
			}
		}
		code <<= 1
	}
	return codes
}

// rotationSort sorts the rotations of a block by doubling the length that is compared.
type rotationSort struct {
	order, other []int32 // rotations in order
	rank, fresh  []int32
	count        []int32
	last         []byte
}

func resize(s []int32, n int) []int32 { return slices.Grow(s[:0], n)[:n] }

// transform returns the last column of the sorted rotations, and where the block itself
// is (Burrows and Wheeler).
func (r *rotationSort) transform(b []byte) (last []byte, origin int) {
	n := len(b)
	r.order, r.other = resize(r.order, n), resize(r.other, n)
	r.rank, r.fresh = resize(r.rank, n), resize(r.fresh, n)
	for i, x := range b {
		r.rank[i], r.other[i] = int32(x), int32(i)
	}
	classes := r.byRank(256)
	for step := 1; classes < n && step < n; step *= 2 {
		for i, at := range r.order { // ordered by the second half
			if at -= int32(step); at < 0 {
				at += int32(n)
			}
			r.other[i] = at
		}
		r.count = resize(r.count, max(classes, 256))
		classes = r.refine(step, classes)
	}
	r.last = slices.Grow(r.last[:0], n)[:n]
	for i, at := range r.order {
		if at == 0 {
			origin = i
			at = int32(n)
		}
		r.last[i] = b[at-1]
	}
	return r.last, origin
}

// byRank sorts other by single bytes and numbers them anew.
func (r *rotationSort) byRank(classes int) int {
	r.count = resize(r.count, classes)
	r.scatter(classes)
	return r.renumber(func(a, b int32) bool { return r.rank[a] == r.rank[b] })
}

// refine sorts other, which is in order of the second half, by the first.
func (r *rotationSort) refine(step, classes int) int {
	r.scatter(classes)
	n := int32(len(r.rank))
	return r.renumber(func(a, b int32) bool {
		c, d := a+int32(step), b+int32(step)
		if c >= n {
			c -= n
		}
		if d >= n {
			d -= n
		}
		return r.rank[a] == r.rank[b] && r.rank[c] == r.rank[d]
	})
}

// scatter is a counting sort of other by rank, into order.
func (r *rotationSort) scatter(classes int) {
	count := r.count[:classes]
	clear(count)
	for _, k := range r.rank {
		count[k]++
	}
	sum := int32(0)
	for k, n := range count {
		count[k], sum = sum, sum+n
	}
	for _, at := range r.other {
		k := r.rank[at]
		r.order[count[k]] = at
		count[k]++
	}
}

// renumber gives rotations that cannot be told apart yet the same rank.
func (r *rotationSort) renumber(same func(a, b int32) bool) int {
	class := int32(0)
	for i, at := range r.order {
		if i > 0 && !same(r.order[i-1], at) {
			class++
		}
		r.fresh[at] = class
	}
	r.rank, r.fresh = r.fresh, r.rank
	return int(class) + 1
}

// bitWriter writes bits, the most significant first.
type bitWriter struct {
	dst  []byte
	bits uint64
	n    int
}

// write appends the low n bits of v, at most 32.
func (w *bitWriter) write(v uint64, n int) {
	w.bits = w.bits<<n | v
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.dst = append(w.dst, byte(w.bits>>(w.n-8)))
	}
}

// align fills the last byte with zeros.
func (w *bitWriter) align() {
	if w.n > 0 {
		w.write(0, 8-w.n)
	}
}

var bzip2Table = func() (t [256]uint32) {
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			if c&(1<<31) != 0 {
				c = c<<1 ^ 0x04C11DB7
			} else {
				c <<= 1
			}
		}
		t[i] = c
	}
	return t
}()

// bzip2CRC is the checksum of bzip2: the polynomial of crc32, most significant bit first.
func bzip2CRC(b []byte) uint32 {
	c := ^uint32(0)
	for _, x := range b {
		c = c<<8 ^ bzip2Table[byte(c>>24)^x]
	}
	return ^c
}
