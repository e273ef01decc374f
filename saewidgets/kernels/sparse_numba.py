"""The compiled loops of a sparse training step. Needs numba.

Activations that are on stand in rows, compressed: the entries of row b are `start[b]` to `stop[b]` of `feature` and
`value`. Every function works on a range of rows or of features and writes to nothing outside it, so that ranges can run
in threads of Python's, without the GIL; each sum runs over the same terms in the same order however the work is cut.

Arrays are float32 unless said; rows of x and of the weights are contiguous.
"""

from __future__ import annotations

import numpy as np

from saewidgets.kernels.jit_numba import jit

_LANES = 16  # features whose encoder gradients are written together: 16 float32 are one line of the cache
_jit = jit("reassoc", "contract", "arcp", "nsz")  # sums may be reordered


# -- which activations are on ------------------------------------------------------------------------------------------


@_jit
def _block_maxima(p, m):
    """m[i] = the largest of p[i], p[i + n], p[i + 2n], ... with n = m.size. Gives 0, or NaN if p is not finite
    throughout.
    """
    n = m.size
    finite = np.float32(0)
    for i in range(n):
        m[i] = p[i]
        finite += p[i] * np.float32(0)
    for first in range(n, p.size - n + 1, n):
        q = p[first : first + n]
        for i in range(n):
            m[i] = q[i] if q[i] > m[i] else m[i]
            finite += q[i] * np.float32(0)
    rest = p.size % n
    q = p[p.size - rest :]
    for i in range(rest):
        m[i] = q[i] if q[i] > m[i] else m[i]
        finite += q[i] * np.float32(0)
    return finite


@_jit
def _lower_bound(m, k):
    """A number that at least k of m reach, and hardly more: by bisection."""
    low, high = m[0], m[0]
    for i in range(m.size):
        low = m[i] if m[i] < low else low
        high = m[i] if m[i] > high else high
    for _ in range(24):
        middle = low + (high - low) * np.float32(0.5)
        if not (low < middle and middle < high):
            break
        n = np.int32(0)
        for i in range(m.size):
            n += np.int32(m[i] >= middle)
        if n < k:
            high = middle
        else:
            low = middle
            if n <= k + k // 8:
                break
    return low


@_jit
def _candidates(p, m, bound, blocks, feature, value):
    """Write the entries of p that reach `bound`; how many there are. m are p's block maxima, `blocks` [m.size] is
    scratch.
    """
    n_blocks = 0
    for i in range(m.size):
        blocks[n_blocks] = i
        n_blocks += int(m[i] >= bound)
    n = 0
    for b in range(n_blocks):
        for j in range(blocks[b], p.size, m.size):
            feature[n] = j
            value[n] = p[j]
            n += int(p[j] >= bound)
    return n


@_jit
def _ordered(bits):
    """Integers in the order of the float32 numbers whose bits these are."""
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


@_jit
def _kth(keys, n, k):
    """The k-th largest of keys[:n], 1 <= k <= n, or a number above the next one that exactly k of them reach."""
    low, high = np.int64(keys[0]), np.int64(keys[0])
    for i in range(n):
        low, high = min(low, np.int64(keys[i])), max(high, np.int64(keys[i]))
    high += 1
    while high - low > 1:
        middle = (low + high) >> 1
        cut = np.int32(middle)
        reached = np.int32(0)
        for i in range(n):
            reached += np.int32(keys[i] >= cut)
        if reached >= k:
            low = middle
            if reached == k:
                break
        else:
            high = middle
    return np.int32(low)


@_jit
def top_k_rows(pre, k, first, feature, value):
    """The k largest of each row of pre, at feature[first + row, :k]; among equal ones the first. value = max(0, pre).

    A row that is not finite throughout gets NaN, so that the loss does too.
    """
    rows, d = pre.shape
    depth = min(max(d // (8 * k), 1), 64)
    n_blocks = (d + depth - 1) // depth
    m, blocks = np.empty(n_blocks, np.float32), np.empty(n_blocks, np.int64)
    found, seen = np.empty(d + 1, np.int64), np.empty(d + 1, np.float32)
    keys = np.empty(d, np.int32)
    for b in range(rows):
        p = pre[b]
        out_f, out_v = feature[first + b], value[first + b]
        finite = _block_maxima(p, m)
        if finite != 0:
            for j in range(k):
                out_f[j], out_v[j] = j, np.float32(np.nan)
            continue
        n = _candidates(p, m, _lower_bound(m, k), blocks, found, seen)
        bits = seen[:n].view(np.int32)
        for i in range(n):
            keys[i] = _ordered(bits[i])
        cut = _kth(keys, n, k)
        above = 0
        for i in range(n):
            above += int(keys[i] > cut)
        count = 0
        for i in range(n):
            if keys[i] > cut:
                out_f[count], out_v[count] = found[i], max(seen[i], np.float32(0))
                count += 1
        if count < k:
            equal = np.int32(0)
            for i in range(n):
                equal += np.int32(keys[i] == cut)
            if equal == k - count:
                for i in range(n):
                    if keys[i] == cut:
                        out_f[count], out_v[count] = found[i], max(seen[i], np.float32(0))
                        count += 1
            else:
                row_bits = p.view(np.int32)
                for j in range(d):
                    if _ordered(row_bits[j]) == cut:
                        out_f[count], out_v[count] = j, max(p[j], np.float32(0))
                        count += 1
                        if count == k:
                            break


@_jit
def rows_above(pre, bound, n, first, start, stop, feature, value):
    """Append the entries of pre that are positive and reach `bound`, by row and then feature, from place n on.

    Gives the new end, or -1 if a number in pre is not finite. They must fit, with one place to spare.
    """
    rows, d = pre.shape
    bound = max(bound, np.float32(1e-45))  # the least positive float32
    for b in range(rows):
        p = pre[b]
        finite = np.float32(0)
        for j in range(d):
            finite += p[j] * np.float32(0)
        if finite != 0:
            return -1
        start[first + b] = n
        for j in range(0, d - 7, 8):  # most eights hold nothing
            some = max(
                max(max(p[j], p[j + 1]), max(p[j + 2], p[j + 3])), max(max(p[j + 4], p[j + 5]), max(p[j + 6], p[j + 7]))
            )
            if some >= bound:
                for i in range(j, j + 8):
                    feature[n], value[n] = i, p[i]
                    n += int(p[i] >= bound)
        for i in range(d - d % 8, d):
            feature[n], value[n] = i, p[i]
            n += int(p[i] >= bound)
        stop[first + b] = n
    return n


@_jit
def keep_above(cut, start, stop, feature, value):
    """Drop the entries below `cut`, in place; how many are left."""
    n = 0
    for b in range(start.size):
        first, last = start[b], stop[b]
        start[b] = n
        for i in range(first, last):
            f, v = feature[i], value[i]
            feature[n], value[n] = f, v
            n += int(v >= cut)
        stop[b] = n
    return n


# -- decoding, and what it says about the activations ------------------------------------------------------------------


@_jit
def _add_rows(e, n, feature, value, W):
    """e += sum over the first n entries of value * W[feature]."""
    d = e.size
    i = 0
    while i + 4 <= n:
        w0, w1, w2, w3 = W[feature[i]], W[feature[i + 1]], W[feature[i + 2]], W[feature[i + 3]]
        v0, v1, v2, v3 = value[i], value[i + 1], value[i + 2], value[i + 3]
        for c in range(d):
            e[c] += (v0 * w0[c] + v1 * w1[c]) + (v2 * w2[c] + v3 * w3[c])
        i += 4
    while i < n:
        w, v = W[feature[i]], value[i]
        for c in range(d):
            e[c] += v * w[c]
        i += 1


@_jit
def _dots(g, n, feature, W, out):
    """out[i] = g . W[feature[i]]."""
    d = g.size
    i = 0
    while i + 4 <= n:
        w0, w1, w2, w3 = W[feature[i]], W[feature[i + 1]], W[feature[i + 2]], W[feature[i + 3]]
        s0, s1, s2, s3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for c in range(d):
            s0 += g[c] * w0[c]
            s1 += g[c] * w1[c]
            s2 += g[c] * w2[c]
            s3 += g[c] * w3[c]
        out[i], out[i + 1], out[i + 2], out[i + 3] = s0, s1, s2, s3
        i += 4
    while i < n:
        w, s = W[feature[i]], np.float32(0)
        for c in range(d):
            s += g[c] * w[c]
        out[i] = s
        i += 1


@_jit
def decode_rows(first, last, start, stop, feature, value, W, base, edges, price, scale, slopes, g, errors):
    """Errors of rows first to last - 1, their gradients, and d loss / d pre-activation of each entry.

    base [rows, d]: x_hat - y without any feature. edges [parts + 1]: where each part of the dictionary begins, d_sae
    last. g [part, rows, d]: d loss / d (what a part decodes to). price [d_sae] or [0]: what an activation costs for
    each unit. errors [rows, parts + 1]: the squared error with the features up to each part, and the sum of value *
    price.
    """
    parts, d = len(edges) - 1, base.shape[1]
    most = 0
    for b in range(first, last):
        most = max(most, stop[b] - start[b])
    f_part, v_part, at = np.empty(most, np.int64), np.empty(most, np.float32), np.empty(most, np.int64)
    s_part = np.empty(most, np.float32)
    for b in range(first, last):
        low, high = start[b], stop[b]
        for p in range(parts):
            e = g[p, b]
            before = base[b] if p == 0 else g[p - 1, b]
            for c in range(d):
                e[c] = before[c]
            if parts == 1:
                _add_rows(e, high - low, feature[low:high], value[low:high], W)
            else:
                n = 0
                for i in range(low, high):
                    if edges[p] <= feature[i] and feature[i] < edges[p + 1]:
                        f_part[n], v_part[n] = feature[i], value[i]
                        n += 1
                _add_rows(e, n, f_part, v_part, W)
            total = np.float32(0)
            for c in range(d):
                total += e[c] * e[c]
            errors[b, p] = total
        for c in range(d):
            g[parts - 1, b, c] *= scale
        for p in range(parts - 2, -1, -1):
            mine, later = g[p, b], g[p + 1, b]
            for c in range(d):
                mine[c] = mine[c] * scale + later[c]
        if parts == 1:
            _dots(g[0, b], high - low, feature[low:high], W, slopes[low:high])
        else:
            for p in range(parts):
                n = 0
                for i in range(low, high):
                    if edges[p] <= feature[i] and feature[i] < edges[p + 1]:
                        f_part[n], at[n] = feature[i], i
                        n += 1
                _dots(g[p, b], n, f_part, W, s_part)
                for i in range(n):
                    slopes[at[i]] = s_part[i]
        cost = np.float32(0)
        if price.size:
            for i in range(low, high):
                cost += value[i] * price[feature[i]]
                slopes[i] += price[feature[i]]
        errors[b, parts] = cost
        for i in range(low, high):
            if value[i] <= 0:  # NaN stays
                slopes[i] = np.float32(0)


# -- the weights' gradients --------------------------------------------------------------------------------------------


@_jit
def by_feature(start, stop, feature, value, slopes, begin, row, value_of, slope_of):
    """The same entries sorted by feature, and by row within one: those of f are begin[f] to begin[f + 1]. Zeros are
    left out.
    """
    begin[:] = 0
    rows = start.size
    for b in range(rows):
        for i in range(start[b], stop[b]):
            begin[feature[i] + 1] += int(value[i] != 0)
    for f in range(begin.size - 1):
        begin[f + 1] += begin[f]
    place = begin.copy()
    for b in range(rows):
        for i in range(start[b], stop[b]):
            if value[i] != 0:
                f = feature[i]
                at = place[f]
                row[at], value_of[at], slope_of[at] = b, value[i], slopes[i]
                place[f] = at + 1


@_jit
def _add_pairs(first, last, row, v, s, g, z, dec, enc):
    """dec += sum v[i] g[row[i]], enc += sum s[i] z[row[i]]."""
    d_out, d_in = dec.size, enc.size
    i = first
    while i + 4 <= last:
        r0, r1, r2, r3 = row[i], row[i + 1], row[i + 2], row[i + 3]
        g0, g1, g2, g3 = g[r0], g[r1], g[r2], g[r3]
        v0, v1, v2, v3 = v[i], v[i + 1], v[i + 2], v[i + 3]
        for c in range(d_out):
            dec[c] += (v0 * g0[c] + v1 * g1[c]) + (v2 * g2[c] + v3 * g3[c])
        z0, z1, z2, z3 = z[r0], z[r1], z[r2], z[r3]
        s0, s1, s2, s3 = s[i], s[i + 1], s[i + 2], s[i + 3]
        for c in range(d_in):
            enc[c] += (s0 * z0[c] + s1 * z1[c]) + (s2 * z2[c] + s3 * z3[c])
        i += 4
    while i < last:
        gi, zi, vi, si = g[row[i]], z[row[i]], v[i], s[i]
        for c in range(d_out):
            dec[c] += vi * gi[c]
        for c in range(d_in):
            enc[c] += si * zi[c]
        i += 1


@_jit
def feature_gradients(first, last, begin, row, value_of, slope_of, g, z, edges, W, pull, dW_dec, dW_enc, db_enc):
    """Gradients of features first to last - 1: dW_dec [f, d_out], dW_enc [d_in, f], db_enc [f].

    dW_dec[f] = sum value g[row] + pull[f] (sum value) W[f], dW_enc[:, f] = sum slope z[row], db_enc[f] = sum slope;
    pull may be empty. g and edges as in `decode_rows`.
    """
    d_in = z.shape[1]
    enc = np.empty((_LANES, d_in), np.float32)
    for group in range(first, last, _LANES):
        n = min(_LANES, last - group)
        enc[:] = 0
        for lane in range(n):
            f = group + lane
            part = 0
            while part < len(edges) - 2 and f >= edges[part + 1]:
                part += 1
            dec = dW_dec[f]
            dec[:] = 0
            _add_pairs(begin[f], begin[f + 1], row, value_of, slope_of, g[part], z, dec, enc[lane])
            total, length = np.float32(0), np.float32(0)
            for i in range(begin[f], begin[f + 1]):
                total += slope_of[i]
                length += value_of[i]
            db_enc[f] = total
            if pull.size:
                factor, w = pull[f] * length, W[f]
                for c in range(dec.size):
                    dec[c] += factor * w[c]
        if n == _LANES:
            for c in range(d_in):
                out = dW_enc[c, group : group + _LANES]
                for lane in range(_LANES):
                    out[lane] = enc[lane, c]
        else:
            for c in range(d_in):
                for lane in range(n):
                    dW_enc[c, group + lane] = enc[lane, c]


# -- dense steps -------------------------------------------------------------------------------------------------------


@_jit
def relu_columns(first, last, pre, count, length):
    """pre = max(0, pre) in columns first to last - 1, and for each: + how many are on, + the sum of them."""
    for b in range(pre.shape[0]):
        p = pre[b]
        for j in range(first, last):
            v = np.float32(0) if p[j] <= 0 else p[j]  # NaN stays
            p[j] = v
            count[j] += np.float32(v > 0)
            length[j] += v


@_jit
def slope_columns(first, last, slopes, a, price, total):
    """slopes = slopes + price where a is on, else 0, in columns first to last - 1; total += their sums."""
    paid = price.size > 0
    for b in range(a.shape[0]):
        s, on = slopes[b], a[b]
        if paid:
            for j in range(first, last):
                s[j] += price[j]
        for j in range(first, last):
            v = s[j]  # read before it is known whether it counts: a load that hangs on a test is not done by vectors
            v = v if on[j] != 0 else np.float32(0)
            s[j] = v
            total[j] += v


@_jit
def add_transposed(first, last, source, W, pull, length, out):
    """out[f] = source[:, f] + pull[f] length[f] W[f] for features first to last - 1; pull may be empty."""
    d = source.shape[0]
    for group in range(first, last, _LANES):
        end = min(group + _LANES, last)
        for c in range(d):
            line = source[c, group:end]
            for lane in range(end - group):
                out[group + lane, c] = line[lane]
        if pull.size:
            for f in range(group, end):
                factor, w, o = pull[f] * length[f], W[f], out[f]
                for c in range(d):
                    o[c] += factor * w[c]
