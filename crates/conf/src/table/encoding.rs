//! Settings of the compact encodings of collections.

macro_rules! encoding_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Encodings" {
        /// Fields up to which a hash stays compact.
        hash_max_listpack_entries: Number = Row::number("hash-max-listpack-entries", 512, 0, LONG)
            .aliases(&["hash-max-ziplist-entries"]);
        /// The longest field or value of a compact hash.
        hash_max_listpack_value: Number = Row::bytes("hash-max-listpack-value", 64, 0, LONG)
            .aliases(&["hash-max-ziplist-value"]);
        /// The size of a list's nodes: elements, or -1 to -5 for 4 to 64 KB.
        list_max_listpack_size: Number = Row::number("list-max-listpack-size", -2, -INT - 1, INT)
            .aliases(&["list-max-ziplist-size"]);
        /// How many nodes at both ends of a list stay uncompressed; 0 compresses none.
        list_compress_depth: Number =
            Row::number("list-compress-depth", 0, 0, INT);
        /// Integers up to which a set stays an array.
        set_max_intset_entries: Number =
            Row::number("set-max-intset-entries", 512, 0, LONG);
        /// Members up to which a set stays compact.
        set_max_listpack_entries: Number =
            Row::number("set-max-listpack-entries", 128, 0, LONG);
        /// The longest member of a compact set.
        set_max_listpack_value: Number =
            Row::bytes("set-max-listpack-value", 64, 0, LONG);
        /// Members up to which a sorted set stays compact.
        zset_max_listpack_entries: Number = Row::number("zset-max-listpack-entries", 128, 0, LONG)
            .aliases(&["zset-max-ziplist-entries"]);
        /// The longest member of a compact sorted set.
        zset_max_listpack_value: Number = Row::bytes("zset-max-listpack-value", 64, 0, LONG)
            .aliases(&["zset-max-ziplist-value"]);
        /// The largest sparse `HyperLogLog`.
        hll_sparse_max_bytes: Number =
            Row::bytes("hll-sparse-max-bytes", 3000, 0, LONG);
        /// The largest node of a stream; 0 is no limit.
        stream_node_max_bytes: Number =
            Row::bytes("stream-node-max-bytes", 4096, 0, LONG);
        /// How many entries a node of a stream holds; 0 is no limit.
        stream_node_max_entries: Number =
            Row::number("stream-node-max-entries", 100, 0, LONG);
    } } };
}
