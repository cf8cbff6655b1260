#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the small .pt files beside it, and index.json, which says what each must give.

    python3 make.py            writes them all anew; nothing but the standard library is needed

PyTorch is not used: the files are put together byte by byte, so that they can be wrong in one place only."""
import json
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
good, bad = [], []


# --- pickles, as pieces of bytes ---

def proto(n, *parts):
    return b"\x80" + bytes([n]) + b"".join(parts) + b"."


def u(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def i(n):
    if 0 <= n < 256:
        return b"K" + bytes([n])
    if -2**31 <= n < 2**31:
        return b"J" + struct.pack("<i", n)
    raw = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def glob(module, name):
    return ("c%s\n%s\n" % (module, name)).encode()


def tup(*parts):
    return b"(" + b"".join(parts) + b"t"


def dic(**items):
    return b"}(" + b"".join(u(k) + v for k, v in items.items()) + b"u"


def lst(*parts):
    return b"](" + b"".join(parts) + b"e"


def storage(key, n, kind="FloatStorage", extra=b""):
    return tup(u("storage"), glob("torch", kind), u(key), u("cpu"), i(n), extra) + b"Q"


def strides_of(shape):
    out, n = [], 1
    for d in reversed(shape):
        out.insert(0, n)
        n *= d
    return out


def tensor(store, shape, offset=0, strides=None):
    strides = strides_of(shape) if strides is None else strides
    return (glob("torch._utils", "_rebuild_tensor_v2")
            + tup(store, i(offset), tup(*map(i, shape)), tup(*map(i, strides)), b"\x89",
                  glob("collections", "OrderedDict") + b")R") + b"R")


def tensor_v3(store, shape, dtype):
    return (glob("torch._utils", "_rebuild_tensor_v3")
            + tup(store, i(0), tup(*map(i, shape)), tup(*map(i, strides_of(shape))), b"\x89",
                  glob("collections", "OrderedDict") + b")R", glob("torch", dtype)) + b"R")


def npdtype(name, order="<"):
    return (glob("numpy", "dtype") + tup(u(name), b"\x89", b"\x88") + b"R"
            + tup(i(3), u(order), b"N", b"N", b"N", i(-1), i(-1), i(0)) + b"b")


def latin1(raw):
    return glob("_codecs", "encode") + tup(u(raw.decode("latin1")), u("latin1")) + b"R"


def nparray(shape, dtype, raw, fortran=False, module="numpy.core.multiarray"):
    return (glob(module, "_reconstruct") + tup(glob("numpy", "ndarray"), tup(i(0)), latin1(b"b")) + b"R"
            + tup(i(1), tup(*map(i, shape)), dtype, b"\x88" if fortran else b"\x89", raw) + b"b")


def f32(*values):
    return struct.pack("<%df" % len(values), *values)


# --- zip archives ---

def archive(*entries, count=None, tail=b"", comment=b""):
    """entries: (name, data) or (name, data, {what is to differ})."""
    out, central = b"", b""
    for entry in entries:
        name, data = entry[0].encode("latin1"), entry[1]
        o = entry[2] if len(entry) > 2 else {}
        packed, method = data, 0
        if o.get("deflate"):
            z = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed, method = z.compress(data) + z.flush(), 8
        method, flags = o.get("method", method), o.get("flags", 0)
        crc, size = o.get("crc", zlib.crc32(data)), o.get("size", len(data))
        packed_size = o.get("packed", len(packed))
        at = o.get("at", len(out))
        out += struct.pack("<IHHHHHIIIHH", 0x04034b50, 20, flags, method, 0, 0, crc, packed_size, size,
                           len(name), 0) + name + packed
        name = o.get("central_name", entry[0]).encode("latin1")
        extra = o.get("extra", b"")
        central += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 20, 20, flags, method, 0, 0, crc,
                               packed_size, size, len(name), len(extra), 0, 0, 0, 0, at) + name + extra
    central += tail
    n = len(entries) if count is None else count
    return out + central + struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, n, n, len(central), len(out),
                                       len(comment)) + comment


def pt(pickle, *storages, deflate=False, folder="x/", more=()):
    o = {"deflate": True} if deflate else {}
    return archive((folder + "data.pkl", pickle, o),
                   *[(folder + "data/%d" % k, raw, o) for k, raw in enumerate(storages)], *more)


MAGIC = proto(2, i(0x1950a86a20f9469cfc6c))


def legacy(pickle, keys, *storages, endian=b"\x88"):
    return (MAGIC + proto(2, i(1001)) + proto(2, dic(protocol_version=i(1001), little_endian=endian))
            + pickle + proto(2, lst(*[u(k) for k in keys]))
            + b"".join(struct.pack("<Q", n) + raw for n, raw in storages))


# --- safetensors, only to start fuzzing from ---

def safetensors(header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


# --- the list ---

def ok(name, raw, tensors, **values):
    """tensors: path -> [dtype, shape, values]; values: path -> value. Paths are joined with "/"."""
    good.append({"file": name, "tensors": tensors, "values": values})
    write(name, raw)


def no(name, raw, message):
    """message: what the error must contain."""
    bad.append({"file": name, "message": message})
    write(name, raw)


def write(name, raw):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(raw)


def flt(x):
    return b"G" + struct.pack(">d", x)


def people():
    """tracked.pt: what people look like in PyTorch's tensors, in NumPy's arrays and in lists; and two bad ones."""
    rigid = (1, 0, 0, .5, 0, 0, -1, .25, 0, 1, 0, 9)
    image = tensor(storage("0", 24, "ByteStorage"), [3, 2, 4])
    rows = lst(*[lst(*map(flt, rigid[k:k + 4])) for k in (0, 4, 8)])
    f8 = struct.pack("<12d", *rigid)
    return pt(proto(2, b"}(",
        u("lists"), dic(image=image, transform_matrix=rows, shapecode=lst(i(1), flt(.5), i(-2))),
        u("numpy.jpg"), dic(image=nparray([3, 1, 2], npdtype("f4"), latin1(f32(0, .25, .5, .75, 1, 0))),
                            transform_matrix=nparray([3, 4], npdtype("f8"), latin1(f8)),
                            shapecode=tensor(storage("1", 2), [1, 2])),
        u("text"), dic(image=image, transform_matrix=lst(u("a")), shapecode=lst(i(1))),
        u("image as a list"), dic(image=lst(i(1)), transform_matrix=rows, shapecode=lst(i(1))),
        u("no person"), dic(other=i(1)), b"u"), bytes(range(0, 240, 10)), f32(3, 4))


SIX = f32(1, 2, 3, 4, 5, 6)
ONE = proto(2, dic(w=tensor(storage("0", 6), [2, 3])))


def main():
    views = proto(2, dic(
        whole=tensor(storage("0", 6), [2, 3]),
        turned=tensor(storage("0", 6), [3, 2], 0, [1, 3]),
        part=tensor(storage("0", 6), [2], 4),
        spread=tensor(storage("0", 6), [2, 2], 1, [0, 2]),
        ones=tensor(storage("0", 6), [1, 2, 1], 2, [99, 1, 77]),
        none=tensor(storage("0", 6), [0, 3]),
        single=tensor(storage("1", 1, "LongStorage"), []),
        cube=tensor(storage("0", 6), [1, 2, 3], 0, [0, 1, 2]),
        lr=b"G" + struct.pack(">d", 0.25), steps=i(-7), empty=b"]"))
    expect = {"whole": ["F32", [2, 3], [1, 2, 3, 4, 5, 6]], "turned": ["F32", [3, 2], [1, 4, 2, 5, 3, 6]],
              "part": ["F32", [2], [5, 6]], "spread": ["F32", [2, 2], [2, 4, 2, 4]],
              "ones": ["F32", [1, 2, 1], [3, 4]], "none": ["F32", [0, 3], []], "single": ["I64", [], [-3]],
              "cube": ["F32", [1, 2, 3], [1, 3, 5, 2, 4, 6]]}
    stores = (SIX, struct.pack("<q", -3))
    values = {"lr": 0.25, "steps": -7, "empty": []}
    ok("views.pt", pt(views, *stores), expect, **values)
    ok("views_deflated.pt", pt(views, *stores, deflate=True), expect, **values)
    ok("views_comment.pt", archive(("data.pkl", views), ("data/0", SIX), ("data/1", stores[1]),
                                   comment=b"PK\5\6 is no end record here"), expect, **values)
    ok("views_legacy.pt", legacy(views, "01", (6, SIX), (1, stores[1])), expect, **values)
    ok("untyped.pt", pt(proto(2, lst(tensor_v3(storage("0", 6, "UntypedStorage"), [3], "uint16"),
                                     i(2**63 - 1), i(-2**63))), struct.pack("<3H", 1, 2, 65535)),
       {"0": ["U16", [3], [1, 2, 65535]]}, **{"1": 2**63 - 1, "2": -2**63})
    raw = struct.pack("<6h", 1, -2, 3, 4, 5, 6)
    ok("numpy.pt", pt(proto(2, dic(
        c=nparray([2, 3], npdtype("i2"), latin1(raw)), f=nparray([2, 3], npdtype("i2"), latin1(raw), True),
        s=glob("numpy.core.multiarray", "scalar") + tup(npdtype("f8"), latin1(struct.pack("<d", 0.5))) + b"R",
        b=glob("__builtin__", "bytes") + b")R"))),
       {"c": ["I16", [2, 3], [1, -2, 3, 4, 5, 6]], "f": ["I16", [2, 3], [1, 3, 5, -2, 4, 6]]}, s=0.5, b={"bytes": []})
    ok("numpy_protocol5.pt", pt(proto(5, dic(
        a=glob("numpy._core.numeric", "_frombuffer") + tup(b"\x96" + struct.pack("<Q", 12) + raw, npdtype("i2"),
                                                           tup(i(3), i(2)), u("F")) + b"R"))),
       {"a": ["I16", [3, 2], [1, 4, -2, 5, 3, 6]]})
    ok("metadata.pt", pt(proto(2, glob("collections", "OrderedDict"), b")R(", u("w"),
                               tensor(storage("0", 6), [6]), b"u", dic(_metadata=b"}"), b"b"), SIX),
       {"w": ["F32", [6], [1, 2, 3, 4, 5, 6]]})

    # what a pickle may not do
    no("bad_call.pt", pt(proto(2, glob("builtins", "print"), tup(u("x")), b"R")), 'asks for "builtins.print"')
    no("bad_escape.pt", pt(proto(2, glob("os\x1b[2J", "x"))), r'asks for "os\x1b[2J.x"')
    no("bad_newobj.pt", pt(proto(2, glob("collections", "OrderedDict"), b")\x81")), "opcode 0x81")
    no("bad_state.pt", pt(proto(2, b"]}b")), "sets the state of something that has none")
    no("bad_call_tensor.pt", pt(proto(2, glob("torch", "FloatStorage"), b")R")), "calls something that is no function")
    no("bad_key_twice.pt", pt(proto(2, b"}(", u("a"), i(1), u("b"), i(2), u("a"), i(3), b"u")), "the same key twice")
    no("bad_key_long.pt", pt(proto(2, b"}(", u("a" * 2000), i(1), b"u")), "a dict key longer than 512")
    no("bad_key_float.pt", pt(proto(2, b"}(G" + struct.pack(">d", 1.5), i(1), b"u")), "neither text nor a whole number")
    no("bad_utf8.pt", pt(proto(2, u(b"a\xff"))), "a string that is not UTF-8")
    no("bad_two_objects.pt", pt(proto(2, i(1), i(2))), "other than one object")
    no("bad_deep.pt", pt(proto(2, b"]" * 200 + b"a" * 199)), "nested deeper than 64 levels")
    laughs = b"]q\0" + b"".join(b"](h" + bytes([k]) + b"h" + bytes([k]) + b"eq" + bytes([k + 1]) for k in range(40))
    no("bad_laughs.pt", pt(proto(2, tup(laughs), b"h", bytes([40]), b"\x86")), "endless if followed")
    no("bad_names.pt", pt(proto(2, b"}q\0(" + b"".join(u(c * 500) + b"h\0" for c in "ab") + b"u")), "a name longer than 2048")
    no("bad_two_names.pt", pt(proto(2, b"}(", u("a.b"), tensor(storage("0", 6), [6]), u("a"),
                                    dic(b=tensor(storage("0", 6), [6])), b"u"), SIX), 'two tensors called "a.b"')
    no("bad_setitems_odd.pt", pt(proto(2, b"}(", u("a"), b"u")), "a dict key without a value")
    no("bad_append.pt", pt(proto(2, b")", i(1), b"a")), "appends to something that is no list")
    no("bad_mark_pop.pt", pt(proto(2, i(1), b"(\x85")), "takes more from the stack than is there")
    no("bad_protocol.pt", pt(proto(6, i(1))), "protocol 6 is none of 2 to 5")
    # tensors that make no sense
    no("bad_types.pt", pt(proto(2, lst(tensor(storage("0", 6), [6]), tensor(storage("0", 6, "IntStorage"), [6]))), SIX),
       "one storage has two types")
    no("bad_dims.pt", pt(proto(2, tensor(storage("0", 6), [1] * 9)), SIX), "more than 8 dimensions")
    no("bad_empty_huge.pt", pt(proto(2, tensor(storage("0", 6), [0, 2**40, 2**40])), SIX), "multiply beyond 63 bits")
    no("bad_copies.pt", pt(proto(2, lst(*[tensor(storage("0", 6), [2**17], 0, [0])] * 3)), SIX), "all copies together")
    no("bad_view.pt", pt(proto(2, tensor(storage("0", 6, extra=tup(u("1"), i(0), i(2))), [6])), SIX), "very old PyTorch")
    no("bad_numpy_object.pt", pt(proto(2, nparray([1], npdtype("O8", "|"), b"]"))), 'dtype "O8" holds no plain numbers')
    no("bad_numpy_big_endian.pt", pt(proto(2, nparray([1], npdtype("i2", ">"), latin1(b"\0\1")))), "big-endian")
    no("bad_numpy_short.pt", pt(proto(2, nparray([9], npdtype("i2"), latin1(b"\0\1")))), "needs 18 bytes, it has 2")
    no("bad_latin1.pt", pt(proto(2, glob("_codecs", "encode"), tup(u("\u0100"), u("latin1")), b"R")), "none of latin1")
    # archives
    no("bad_encrypted.pt", archive(("x/data.pkl", ONE, {"flags": 1}), ("x/data/0", SIX)), "is encrypted")
    no("bad_method.pt", archive(("x/data.pkl", ONE, {"method": 12}), ("x/data/0", SIX)), "packed by method 12")
    no("bad_two_sizes.pt", archive(("x/data.pkl", ONE, {"size": 5}), ("x/data/0", SIX)), "has two sizes")
    no("bad_nul_name.pt", archive(("x/data.pkl\0.txt", ONE), ("x/data/0", SIX)), "a zero byte in its name")
    no("bad_other_name.pt", archive(("x/other.pkl", ONE, {"central_name": "x/data.pk!"}), ("x/data/0", SIX)), "another name")
    no("bad_overlap.pt", archive(*[("x/%d" % k, bytes(300), {"packed": 300 * (5 - k), "size": 300 * (5 - k)})
                                   for k in range(5)]), "its entries overlap")
    no("bad_entry_twice.pt", archive(("x/data.pkl", ONE), ("x/data.pkl", ONE)), "there twice")
    no("bad_zip64_missing.pt", archive(("x/data.pkl", ONE, {"size": 0xffffffff})), "lacks its zip64 sizes")
    no("bad_zip64_short.pt", archive(("x/data.pkl", ONE, {"size": 0xffffffff, "extra": struct.pack("<HHI", 1, 4, 9)})),
       "lacks its zip64 sizes")
    no("bad_deflate.pt", archive(("x/data.pkl", ONE, {"method": 8})), "it cannot be unpacked")
    no("bad_deflate_tail.pt", archive(("x/data.pkl", zlib.compress(ONE)[2:-4] + b"!", {"method": 8, "size": len(ONE)})),
       "it cannot be unpacked")
    no("bad_crc.pt", archive(("x/data.pkl", ONE), ("x/data/0", SIX, {"crc": 1})), '"x/data/0" is damaged')
    no("bad_directory_tail.pt", archive(("x/data.pkl", ONE), tail=b"PK\1\2"), "holds more than it claims")
    no("bad_two_pickles.pt", archive(("x/data.pkl", ONE), ("y/data.pkl", ONE)), "two data.pkl")
    no("bad_big_endian.pt", pt(ONE, SIX, more=[("x/byteorder", b"big")]), "byte order")
    # the old format
    no("bad_legacy_magic.pt", proto(2, i(1234)), "not one that PyTorch wrote")
    no("bad_legacy_version.pt", MAGIC + proto(2, i(1002)), "unknown version")
    no("bad_legacy_endian.pt", legacy(ONE, "0", (6, SIX), endian=b"\x89"), "byte order")
    no("bad_legacy_count.pt", legacy(ONE, "0", (7, SIX)), "has 7 elements, 6 are needed")
    no("bad_legacy_missing.pt", legacy(ONE, ""), "storage 0 is not in the file")
    no("bad_legacy_unknown.pt", legacy(ONE, "1", (6, SIX)), "names one that no tensor uses")
    no("bad_legacy_cut.pt", legacy(ONE, "0", (6, SIX[:-1])), "cut off in storage 0")
    write("tracked.pt", people())
    write("seed_one.safetensors", safetensors({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}, SIX))
    write("seed_more.safetensors", safetensors({
        "__metadata__": {"k\u00e9y": "\n\"\U0001f600"},
        "b": {"dtype": "I64", "shape": [], "data_offsets": [4, 12]},
        "a": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [0, 4]},
        "none": {"dtype": "U8", "shape": [0, 7], "data_offsets": [12, 12]}}, bytes(range(12))))
    with open(os.path.join(HERE, "index.json"), "w") as f:
        json.dump({"good": good, "bad": bad}, f, indent=1)
        f.write("\n")


main()
