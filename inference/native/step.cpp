// One step of Grok-1 on a CPU: a ragged batch of prompt chunks and single tokens in, logits out. One call a step.
//
// The mathematics is grok1/model.py's. What differs from grok1/step.py is the order of memory:
//
// * Weights are packed once into panels of 64 outputs, [inputs][64], read from end to end for one token and
//   from the cache for each further six. Floats are kept as float32, or as bfloat16 where that loses nothing.
//   The two matrices of an expert share panels (32 gates, 32 ups), so GELU and product are done in L1.
// * Keys lie as [S/16][D][16]: sixteen scores at a time; values as [S][D].
// * The soft cap bounds scores at +-30, so the softmax needs no running maximum.
//
// Every sum runs in an order that depends only on the token and its own past. A token's logits are therefore
// the same bits alone, in a crowd, in one chunk or in several, and on any number of threads.
//
// Letters: n tokens of a step, H hidden, I inner, D head, S keys, N/K query/key heads, E experts, k chosen.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <new>
#include <thread>
#include <type_traits>
#include <vector>
#include <sys/mman.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif
typedef float Vec __attribute__((vector_size(LANES * 4)));
typedef int32_t IVec __attribute__((vector_size(LANES * 4)));
typedef uint16_t HVec __attribute__((vector_size(LANES * 2)));

constexpr int PANEL = 64;          // outputs side by side
constexpr int ROWS = 6;            // rows that share one reading of the weights: as many as registers hold
constexpr int BLOCK = 16;          // keys side by side
constexpr int PARTS = BLOCK / LANES;
// Vectors of outputs at a time: all of a panel while they fit the registers.
template <int M> constexpr int WIDTH = (M == 1 || LANES == 16) ? PANEL / LANES : (M == 2 ? 32 : 16) / LANES;

struct bfloat16 { uint16_t bits; };

template <class V, class T> inline V read(const T* from) { V v; std::memcpy(&v, from, sizeof v); return v; }
inline void put(float* to, Vec v) { std::memcpy(to, &v, sizeof v); }
inline Vec load(const float* w) { return read<Vec>(w); }
// Widening a vector: gcc's own way takes three times as many instructions as there are for it.
#if defined(__AVX512F__)
inline IVec widen(const bfloat16* w) { return (IVec)_mm512_cvtepu16_epi32(read<__m256i>(w)); }
#elif defined(__AVX2__)
inline IVec widen(const bfloat16* w) { return (IVec)_mm256_cvtepu16_epi32(read<__m128i>(w)); }
#else
inline IVec widen(const bfloat16* w) { return __builtin_convertvector(read<HVec>(w), IVec); }
#endif
inline Vec load(const bfloat16* w) { return (Vec)(widen(w) << 16); }
// a * b + c, rounded once where the processor can. The compiler must not choose where (-ffp-contract=off): it
// would choose differently for one row and for six, and a reply would depend on who else is served.
inline Vec madd(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
    return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}
inline Vec all(float a) { return a - Vec{}; }
inline Vec madd(float a, Vec b, Vec c) { return madd(all(a), b, c); }
inline float number(float w) { return w; }
inline float number(bfloat16 w) { uint32_t bits = uint32_t(w.bits) << 16; float f; std::memcpy(&f, &bits, 4); return f; }
inline float sum(Vec v) { float s = 0; for (int i = 0; i < LANES; i++) s += v[i]; return s; }

// -- exp, tanh, GELU: Cephes' polynomial, within 2e-7 of the true value ------------------------------

inline Vec exponential(Vec x) {
    x = x > 88.0f ? all(88.0f) : x;
    x = x < -87.0f ? all(-87.0f) : x;  // a NaN passes both
    Vec whole = (x * 1.44269504f + 12582912.0f) - 12582912.0f;  // rounds to the nearest integer
    Vec r = madd(2.12194440e-4f, whole, x - whole * 0.693359375f);
    Vec p = all(1.9875691500e-4f);
    for (float next : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
        p = madd(p, r, all(next));
    p = madd(p * r, r, r) + 1.0f;
    IVec power = (__builtin_convertvector(whole, IVec) + 127) << 23;
    return p * (Vec)power;
}
inline Vec tangent(Vec x) { return 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f); }
// The tanh form: 0.5 x (1 + tanh u) is x / (1 + exp(-2u)).
inline Vec gelu(Vec x) {
    Vec u = 0.7978845608028654f * (x + 0.044715f * x * x * x);
    return x / (1.0f + exponential(-2.0f * u));
}

// -- memory ------------------------------------------------------------------------------------------

struct Unmap { size_t size; void operator()(void* at) const { munmap(at, size); } };
// Zeroed, in 2-MiB pages where the system gives them: reading weights is what decoding waits for.
struct Memory {
    std::unique_ptr<void, Unmap> held;
    template <class T> T* make(size_t count) {
        size_t size = std::max<size_t>(count * sizeof(T), 1), huge = 2 << 20;
        size_t whole = size >= huge ? size + huge : size;
        void* at = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) throw std::bad_alloc();
        held = std::unique_ptr<void, Unmap>(at, Unmap{whole});
        if (size < huge) return static_cast<T*>(at);
        auto start = (reinterpret_cast<uintptr_t>(at) + huge - 1) / huge * huge;
        madvise(reinterpret_cast<void*>(start), size / huge * huge, MADV_HUGEPAGE);
        return reinterpret_cast<T*>(start);
    }
};

// Threads that take numbered pieces of work until none is left. They wait awake for a moment, then asleep.
class Pool {
  public:
    explicit Pool(int threads) {
        for (int i = 1; i < threads; i++) others.emplace_back([this] { serve(); });
    }
    ~Pool() {
        closed = true;
        round.fetch_add(1);
        round.notify_all();
        for (auto& thread : others) thread.join();
    }
    template <class Work> void each(int pieces, bool large, const Work& work) {
        if (others.empty() || pieces < 2 || !large) {
            for (int i = 0; i < pieces; i++) work(i);
            return;
        }
        job = [&work](int i) { work(i); };
        count = pieces;
        next.store(0);
        busy.store(int(others.size()));
        round.fetch_add(1);
        round.notify_all();
        take();
        for (int spins = 0; busy.load() > 0; spins++)
            if (spins > 2000) std::this_thread::yield();
    }

  private:
    void take() { for (int i; (i = next.fetch_add(1)) < count;) job(i); }
    void serve() {
        for (uint32_t seen = 0;;) {
            for (int spins = 0; round.load() == seen && spins < 20000; spins++) breathe();
            round.wait(seen);
            seen = round.load();
            if (closed) return;
            take();
            busy.fetch_sub(1);
        }
    }
    static void breathe() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    std::vector<std::thread> others;
    std::function<void(int)> job;
    int count = 0;
    std::atomic<uint32_t> round{0};
    std::atomic<int> next{0}, busy{0};
    std::atomic<bool> closed{false};
};

// -- matrices ----------------------------------------------------------------------------------------

enum Kind { FLOAT32, BFLOAT16, INT8, DOT8 };  // int8 against int16 rows, and against int8 rows (VNNI)

// Rows of a batch that are about to be multiplied: those that `which` names, or all from `first` on.
struct Input {
    const float* x;
    int size;                        // numbers in a row
    const void* whole = nullptr;     // for int8 weights: the rows in whole numbers, int16 or int8,
    const float* scale = nullptr;    // their scales by block,
    const int32_t* offset = nullptr; // and for int8 -128 x their sums by block
    const int* which = nullptr;
    int first = 0;
    int row(int m) const { return which ? which[m] : first + m; }
};

struct Matrix {
    int outputs = 0, inputs = 0, groups = 1, block = 0;  // block: inputs that share a scale of the row (int8)
    Kind kind = FLOAT32;
    const void* data = nullptr;
    float* scale = nullptr;  // [panel][group][64], int8 only
    Memory memory, scales;

    int panels() const { return (outputs + PANEL - 1) / PANEL; }
    int width(int panel) const { return std::min(PANEL, outputs - panel * PANEL); }

    template <class T> void pack(const T* from, const int* order) {
        T* to = memory.make<T>(size_t(panels()) * PANEL * inputs);
        for (int o = 0; o < panels() * PANEL; o++) {
            if (order[o] < 0) continue;
            const T* row = from + size_t(order[o]) * inputs;
            T* column = to + size_t(o / PANEL) * PANEL * inputs + o % PANEL;
            for (int k = 0; k < inputs; k++) column[size_t(k) * PANEL] = row[k];
        }
        data = to;
    }
    // [inputs/T][64][T]: T inputs of an output together.
    template <class How> void pack_whole(const int8_t* from, const int* order) {
        constexpr int T = How::TOGETHER;
        size_t size = size_t(panels()) * PANEL * inputs;
        uint8_t* to = memory.make<uint8_t>(size);
        std::memset(to, How::OFFSET, size);
        for (int o = 0; o < panels() * PANEL; o++) {
            if (order[o] < 0) continue;
            const int8_t* row = from + size_t(order[o]) * inputs;
            uint8_t* column = to + size_t(o / PANEL) * PANEL * inputs + o % PANEL * T;
            for (int k = 0; k < inputs; k++) column[size_t(k / T) * PANEL * T + k % T] = uint8_t(row[k] + How::OFFSET);
        }
        data = to;
    }
    void pack_scales(const float* from, const int* order) {
        scale = scales.make<float>(size_t(panels()) * groups * PANEL);
        for (int o = 0; o < panels() * PANEL; o++)
            for (int g = 0; g < groups && order[o] >= 0; g++)
                scale[(size_t(o / PANEL) * groups + g) * PANEL + o % PANEL] = from[size_t(order[o]) * groups + g];
    }
    // What one output is made of, times a factor; float kinds only.
    void row(int output, float factor, float* to) const {
        size_t place = size_t(output / PANEL) * inputs * PANEL + output % PANEL;
        for (int k = 0; k < inputs; k++, place += PANEL)
            to[k] = factor * (kind == FLOAT32 ? static_cast<const float*>(data)[place]
                                              : number(static_cast<const bfloat16*>(data)[place]));
    }
};

// How int8 weights meet rows in whole numbers: acc += weights . row, for LANES outputs and TOGETHER inputs each.
// int16 rows lose next to nothing (2^-16 of a block's largest) and take half as many instructions as floats.
struct Words {
    typedef int16_t Row;
    static constexpr int TOGETHER = 2, OFFSET = 0, LARGEST = 32767;
    typedef int16_t Weights __attribute__((vector_size(LANES * 4)));
    static Weights load(const uint8_t* w) {
#if defined(__AVX512BW__)
        return (Weights)_mm512_cvtepi8_epi16(read<__m256i>(w));
#elif defined(__AVX2__) && !defined(__AVX512F__)
        return (Weights)_mm256_cvtepi8_epi16(read<__m128i>(w));
#else
        typedef int8_t Bytes __attribute__((vector_size(LANES * 2)));
        return __builtin_convertvector(read<Bytes>(w), Weights);
#endif
    }
    static IVec dot(IVec acc, Weights w, const Row* x) {
#if defined(__AVX512BW__)
        return acc + (IVec)_mm512_madd_epi16((__m512i)w, _mm512_set1_epi32(read<int32_t>(x)));
#elif defined(__AVX2__) && !defined(__AVX512F__)
        return acc + (IVec)_mm256_madd_epi16((__m256i)w, _mm256_set1_epi32(read<int32_t>(x)));
#else
        for (int i = 0; i < LANES; i++) acc[i] += w[2 * i] * x[0] + w[2 * i + 1] * x[1];
        return acc;
#endif
    }
};
// Weights with an offset of 128, for the instruction wants them unsigned.
struct Bytes {
    typedef int8_t Row;
    static constexpr int TOGETHER = 4, OFFSET = 128, LARGEST = 127;
    typedef uint8_t Weights __attribute__((vector_size(LANES * 4)));
    static Weights load(const uint8_t* w) { return read<Weights>(w); }
    static IVec dot(IVec acc, Weights w, const Row* x) {
#ifdef __AVX512VNNI__
        return (IVec)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)w, _mm512_set1_epi32(read<int32_t>(x)));
#else
        for (int i = 0; i < LANES; i++)
            for (int j = 0; j < 4; j++) acc[i] += w[4 * i + j] * x[j];
        return acc;
#endif
    }
};
constexpr int MOST_BLOCK = 64;  // inputs; int32 sums of Words hold up to 512

constexpr int CHUNK = 128;  // inputs whose weights lie in L1 meanwhile
// Weights are fetched in two strides: into L2 long before they are needed, into L1 a little before. With several rows
// the processor works long enough on a chunk to fetch the next one (int8: the next block but one) meanwhile; into L1 at
// once that would push out what is being read. With one row it is memory that is waited for, and less is under way.
constexpr int AHEAD = 2;
constexpr int FAR = 4096, NEAR = 1536;  // bytes
inline void fetch(const void* far, const void* near, int bytes) {
    for (int line = 0; line < bytes; line += 64) {
        __builtin_prefetch(static_cast<const char*>(far) + line, 0, 2);
        __builtin_prefetch(static_cast<const char*>(near) + line);
    }
}

// M rows through one panel: out [M][64]. All columns of some inputs before the next inputs, so that memory is read
// from end to end and what is read again lies in L1.
template <class T, int M> void panel_floats(const Matrix& a, int panel, const Input& in, int first, float* out) {
    constexpr int V = WIDTH<M>;
    const T* weights = static_cast<const T*>(a.data) + size_t(panel) * PANEL * a.inputs;
    const float* x[M];
    for (int m = 0; m < M; m++) x[m] = in.x + size_t(in.row(first + m)) * in.size;
    std::fill(out, out + M * PANEL, 0.0f);
    for (int from = 0; from < a.inputs; from += CHUNK)
        for (int column = 0; column < PANEL; column += V * LANES) {
            Vec acc[M][V];
            for (int m = 0; m < M; m++)
                for (int v = 0; v < V; v++) acc[m][v] = load(out + m * PANEL + column + v * LANES);
            const T* w = weights + size_t(from) * PANEL + column;
            const T* ahead = weights + size_t(from + CHUNK) * PANEL + column * CHUNK;
            for (int k = from, end = std::min(from + CHUNK, a.inputs); k < end; k++, w += PANEL, ahead += V * LANES) {
                fetch(M > 1 ? ahead : w + FAR / sizeof(T), w + NEAR / sizeof(T), V * LANES * sizeof(T));
                Vec weight[V];
#pragma GCC unroll 8
                for (int v = 0; v < V; v++) weight[v] = load(w + v * LANES);
#pragma GCC unroll 8
                for (int m = 0; m < M; m++)
#pragma GCC unroll 8
                    for (int v = 0; v < V; v++) acc[m][v] = madd(x[m][k], weight[v], acc[m][v]);
            }
            for (int m = 0; m < M; m++)
                for (int v = 0; v < V; v++) put(out + m * PANEL + column + v * LANES, acc[m][v]);
        }
}

// The same for int8 weights; sums are exact within a block.
template <class How, int M> void panel_whole(const Matrix& a, int panel, const Input& in, int first, float* out) {
    constexpr int V = WIDTH<M>, T = How::TOGETHER;
    typedef typename How::Row Row;
    const int blocks = a.inputs / a.block, per_group = blocks / a.groups;
    const Row* x[M];
    const float* row_scale[M];
    const int32_t* offset[M];
    for (int m = 0; m < M; m++) {
        const size_t row = in.row(first + m);
        x[m] = static_cast<const Row*>(in.whole) + row * in.size;
        row_scale[m] = in.scale + row * blocks, offset[m] = in.offset + row * blocks;
    }
    std::fill(out, out + M * PANEL, 0.0f);
    alignas(64) float part[M * PANEL] = {};
    const uint8_t* weights = static_cast<const uint8_t*>(a.data) + size_t(panel) * PANEL * a.inputs;
    const float* scale = a.scale + size_t(panel) * a.groups * PANEL;
    for (int b = 0; b < blocks; b++, weights += a.block * PANEL) {
        for (int column = 0; column < PANEL; column += V * LANES) {
            IVec acc[M][V];
            for (int m = 0; m < M; m++)
                for (int v = 0; v < V; v++) acc[m][v] = IVec{} + offset[m][b];
            const uint8_t* w = weights + column * T;
            const uint8_t* ahead = weights + AHEAD * a.block * PANEL + column * a.block;
            for (int k = b * a.block; k < (b + 1) * a.block; k += T, w += PANEL * T, ahead += V * LANES * T) {
                fetch(M > 1 ? ahead : w + FAR, w + NEAR, V * LANES * T);
                typename How::Weights weight[V];
#pragma GCC unroll 8
                for (int v = 0; v < V; v++) weight[v] = How::load(w + v * LANES * T);
#pragma GCC unroll 8
                for (int m = 0; m < M; m++)
#pragma GCC unroll 8
                    for (int v = 0; v < V; v++) acc[m][v] = How::dot(acc[m][v], weight[v], x[m] + k);
            }
            for (int m = 0; m < M; m++)
                for (int v = 0; v < V; v++) {
                    float* to = part + m * PANEL + column + v * LANES;
                    put(to, madd(row_scale[m][b], __builtin_convertvector(acc[m][v], Vec), load(to)));
                }
        }
        if ((b + 1) % per_group) continue;
        for (int m = 0; m < M; m++)
            for (int i = m * PANEL; i < (m + 1) * PANEL; i += LANES) {
                put(out + i, madd(load(part + i), load(scale + i % PANEL), load(out + i)));
                put(part + i, Vec{});
            }
        scale += PANEL;
    }
}

template <int M> void panel_rows(const Matrix& a, int panel, const Input& in, int first, float* out) {
    switch (a.kind) {
        case FLOAT32: return panel_floats<float, M>(a, panel, in, first, out);
        case BFLOAT16: return panel_floats<bfloat16, M>(a, panel, in, first, out);
        case INT8: return panel_whole<Words, M>(a, panel, in, first, out);
        case DOT8: return panel_whole<Bytes, M>(a, panel, in, first, out);
    }
}

// All `rows` through one panel; `take(m, numbers)` gets the 64 results of each.
template <class Take> void through(const Matrix& a, int panel, const Input& in, int rows, const Take& take) {
    alignas(64) float out[ROWS * PANEL];
    for (int first = 0; first < rows; first += ROWS) {
        int m = std::min(ROWS, rows - first);
        switch (m) {
            case 1: panel_rows<1>(a, panel, in, first, out); break;
            case 2: panel_rows<2>(a, panel, in, first, out); break;
            case 3: panel_rows<3>(a, panel, in, first, out); break;
            case 4: panel_rows<4>(a, panel, in, first, out); break;
            case 5: panel_rows<5>(a, panel, in, first, out); break;
            default: panel_rows<6>(a, panel, in, first, out);
        }
        for (int i = 0; i < m; i++) take(first + i, out + i * PANEL);
    }
}

// -- the model ---------------------------------------------------------------------------------------

struct Sizes {
    int32_t vocab, hidden, inner, layers, heads, kv_heads, head, experts, chosen, rows, context, pad, threads, dot8;
    float embedding_multiplier, output_multiplier, attention_multiplier, cap, eps;
};

struct Layer {
    Matrix qkv, o;
    std::vector<Matrix> gate_up, down;
    std::vector<float> router;  // [E][H]
    std::vector<float> norm[4];
};

// Some queries of one row that look at the same keys together.
struct Look { int row, head, first, count; };  // key head; first query (token x query heads of it) and how many

struct Choice { int expert; float gate; int slot; };

struct Step;

struct Model {
    Sizes c;
    Pool pool;
    Matrix embedding, head;  // head: the embedding once more, in int8; none where the exact one makes the logits
    std::vector<Layer> layers;
    std::vector<float> last_norm, cosine, sine;  // tables [context][D]
    Memory key_memory, value_memory;
    float *keys, *values;
    std::vector<uint8_t> pads;  // [rows][context]: 1 where token 0 stands
    std::unique_ptr<Step> work;

    ~Model();
    explicit Model(const Sizes& sizes) : c(sizes), pool(sizes.threads), layers(sizes.layers) {
        size_t each = size_t(c.layers) * c.rows * c.kv_heads * padded() * c.head;
        keys = key_memory.make<float>(each);
        values = value_memory.make<float>(each);
        pads.assign(size_t(c.rows) * c.context, 0);
        for (auto& layer : layers) layer.gate_up.resize(c.experts), layer.down.resize(c.experts);
    }
    int padded() const { return (c.context + BLOCK - 1) / BLOCK * BLOCK; }
    size_t place(int layer, int row, int head) const {
        return ((size_t(layer) * c.rows + row) * c.kv_heads + head) * padded() * c.head;
    }

    void norm(const float* x, const std::vector<float>& weight, float* y) const {
        Vec squares = {};
        for (int i = 0; i < c.hidden; i += LANES) squares = madd(load(x + i), load(x + i), squares);
        float inverse = 1.0f / std::sqrt(sum(squares) / c.hidden + c.eps);
        for (int i = 0; i < c.hidden; i += LANES) put(y + i, load(x + i) * inverse * load(&weight[i]));
    }
    int step(int n, const int32_t* ids, const int32_t* row, const int32_t* pos, const int32_t* hide, int outs,
             const int32_t* out_at, float* logits);
};

// Buffers of a step and what is done with them. They are kept for the next one: fresh memory is slow.
struct Step {
    Model& model;
    const Sizes& c;
    const int qkv_size, group;
    int n = 0;
    const int32_t *row, *pos, *hide;
    std::vector<float> h, x, qkv, mixed, projected, act, expert_out, row_scale;
    std::vector<int16_t> row_words;
    std::vector<int8_t> row_bytes;
    std::vector<int32_t> row_offset;
    std::vector<Look> looks;
    std::vector<Choice> choices;  // [n][k], each token's in the order of the experts
    std::vector<int> expert_rows;  // tokens by expert
    std::vector<int> starts;       // [E + 1], into expert_rows

    explicit Step(Model& m) : model(m), c(m.c), qkv_size((c.heads + 2 * c.kv_heads) * c.head), group(c.heads / c.kv_heads) {}

    void begin(int tokens, const int32_t* rows, const int32_t* positions, const int32_t* hidden) {
        n = tokens, row = rows, pos = positions, hide = hidden;
        for (auto* rows : {&h, &x, &projected}) rows->resize(size_t(n) * c.hidden);
        qkv.resize(size_t(n) * qkv_size);
        mixed.resize(size_t(n) * c.heads * c.head);
        choices.resize(size_t(n) * c.chosen);
        act.resize(choices.size() * c.inner);
        expert_out.resize(choices.size() * c.hidden);
        expert_rows.resize(choices.size());
        starts.resize(c.experts + 1);
        looks.clear();
        for (int first = 0; first < n;) {
            int end = first + 1;
            while (end < n && row[end] == row[first]) end++;
            int queries = (end - first) * group;
            for (int head = 0; head < c.kv_heads; head++)
                for (int q = 0; q < queries; q += ROWS)
                    looks.push_back({first, head, q, std::min(ROWS, queries - q)});
            first = end;
        }
    }

    bool large(size_t weights) const { return weights * n > 60000; }  // some ten microseconds of work

    // The first `count` of the rows as the matrix wants them.
    Input input(const std::vector<float>& rows, const Matrix& a, int count) {
        Input in{rows.data(), a.inputs};
        if (a.kind == INT8) in.whole = round<Words>(rows, a, count, row_words);
        if (a.kind == DOT8) in.whole = round<Bytes>(rows, a, count, row_bytes);
        in.scale = row_scale.data(), in.offset = row_offset.data();
        return in;
    }

    // Symmetric, one scale for each block.
    template <class How>
    const void* round(const std::vector<float>& rows, const Matrix& a, int count, std::vector<typename How::Row>& whole) {
        const int blocks = a.inputs / a.block;
        whole.resize(size_t(count) * a.inputs);
        row_scale.resize(size_t(count) * blocks);
        row_offset.resize(size_t(count) * blocks);
        model.pool.each(count, large(a.inputs), [&](int m) {
            for (int b = 0; b < blocks; b++) {
                const float* from = rows.data() + size_t(m) * a.inputs + b * a.block;
                auto* to = whole.data() + size_t(m) * a.inputs + b * a.block;
                int32_t most = 0, total = 0;  // as whole numbers floats have the same order, infinity and NaN on top
                for (int i = 0; i < a.block; i++) most = std::max(most, read<int32_t>(from + i) & 0x7fffffff);
                const bool finite = most < 0x7f800000;
                const float largest = finite ? read<float>(&most) : 0;
                const float inverse = largest > 0 ? How::LARGEST / largest : 0;
                for (int i = 0; i < a.block; i++) {
                    float number = finite ? from[i] * inverse : 0;
                    to[i] = typename How::Row((number + 12582912.0f) - 12582912.0f);  // to the nearest
                    total += to[i];
                }
                row_scale[size_t(m) * blocks + b] = finite ? largest / How::LARGEST : NAN;  // NaN must come out as NaN
                row_offset[size_t(m) * blocks + b] = -How::OFFSET * total;
            }
        });
        return whole.data();
    }

    // rows [n, inputs] -> out [n, outputs]
    void multiply(const Matrix& a, const std::vector<float>& rows, float* out, int count, float factor = 1) {
        Input in = input(rows, a, count);
        model.pool.each(a.panels(), large(size_t(a.outputs) * a.inputs), [&](int panel) {
            through(a, panel, in, count, [&](int m, const float* numbers) {
                float* to = out + size_t(m) * a.outputs + panel * PANEL;
                for (int i = 0; i < a.width(panel); i++) to[i] = numbers[i] * factor;
            });
        });
    }

    void attention(int l) {
        Layer& layer = model.layers[l];
        for (int i = 0; i < n; i++) model.norm(&h[size_t(i) * c.hidden], layer.norm[0], &x[size_t(i) * c.hidden]);
        multiply(layer.qkv, x, qkv.data(), n);
        for (int i = 0; i < n; i++) remember(l, i);
        size_t seen = 0;
        for (int i = 0; i < n; i++) seen += pos[i] + 1;
        model.pool.each(int(looks.size()), seen * c.heads * c.head > 60000, [&](int i) { look(l, looks[i]); });
        multiply(layer.o, mixed, projected.data(), n);
        for (int i = 0; i < n; i++) add(i, &projected[size_t(i) * c.hidden], layer.norm[1]);
    }

    // Turn queries and keys by their position; keys and values into the cache.
    void remember(int l, int i) {
        float* from = &qkv[size_t(i) * qkv_size];
        const float *cosine = &model.cosine[size_t(pos[i]) * c.head], *sine = &model.sine[size_t(pos[i]) * c.head];
        for (int head = 0; head < c.heads + c.kv_heads; head++, from += c.head)
            for (int d = 0, half = c.head / 2; d < half; d++) {
                float a = from[d], b = from[d + half];
                from[d] = a * cosine[d] - b * sine[d];
                from[d + half] = b * cosine[d + half] + a * sine[d + half];
            }
        const float *k = &qkv[size_t(i) * qkv_size] + c.heads * c.head, *v = k + c.kv_heads * c.head;
        for (int head = 0; head < c.kv_heads; head++) {
            size_t place = model.place(l, row[i], head);
            float* keys = model.keys + place + size_t(pos[i] / BLOCK) * c.head * BLOCK + pos[i] % BLOCK;
            for (int d = 0; d < c.head; d++) keys[d * BLOCK] = k[head * c.head + d];
            std::memcpy(model.values + place + size_t(pos[i]) * c.head, v + head * c.head, c.head * 4);
        }
    }

    void look(int l, const Look& at) {
        switch (at.count) {
            case 1: return look_at<1>(l, at);
            case 2: return look_at<2>(l, at);
            case 3: return look_at<3>(l, at);
            case 4: return look_at<4>(l, at);
            case 5: return look_at<5>(l, at);
            default: return look_at<6>(l, at);
        }
    }

    template <int Q> void look_at(int l, const Look& at) {
        const int D = c.head;
        int token[Q], last = 0;
        const float* q[Q];
        float* out[Q];
        for (int i = 0; i < Q; i++) {
            token[i] = at.row + (at.first + i) / group;
            int head = at.head * group + (at.first + i) % group;
            q[i] = &qkv[size_t(token[i]) * qkv_size + head * D];
            out[i] = &mixed[(size_t(token[i]) * c.heads + head) * D];
            last = std::max(last, int(pos[token[i]]));
        }
        const int blocks = last / BLOCK + 1;
        static thread_local std::vector<float> shares;  // [Q][blocks * 16]
        shares.resize(size_t(Q) * blocks * BLOCK);
        float total[Q];
        weigh<Q>(l, at, token, q, blocks, shares.data(), total);
        const float* values = model.values + model.place(l, row[at.row], at.head);
        constexpr int V = 16 / LANES;
        for (int d = 0; d < D; d += 16) {
            Vec acc[Q][V] = {};
            for (int s = 0; s <= last; s++) {
                Vec value[V];
#pragma GCC unroll 4
                for (int v = 0; v < V; v++) value[v] = load(values + size_t(s) * D + d + v * LANES);
#pragma GCC unroll 8
                for (int i = 0; i < Q; i++)
#pragma GCC unroll 4
                    for (int v = 0; v < V; v++)
                        acc[i][v] = madd(shares[size_t(i) * blocks * BLOCK + s], value[v], acc[i][v]);
            }
            for (int i = 0; i < Q; i++)
                for (int v = 0; v < V; v++) put(out[i] + d + v * LANES, acc[i][v] / total[i]);
        }
    }

    // exp(cap * tanh(score / cap)) of every key a query may see, 0 for the others; and their sums.
    template <int Q>
    void weigh(int l, const Look& at, const int* token, const float* const* q, int blocks, float* shares, float* total) {
        const int D = c.head;
        const float* keys = model.keys + model.place(l, row[at.row], at.head);
        const uint8_t* pads = &model.pads[size_t(row[at.row]) * c.context];
        const float inside = c.attention_multiplier / c.cap;
        Vec sums[Q] = {};
        for (int b = 0; b < blocks; b++, keys += D * BLOCK) {
            Vec acc[Q][PARTS] = {};
            for (int d = 0; d < D; d++) {
                Vec key[PARTS];
#pragma GCC unroll 4
                for (int v = 0; v < PARTS; v++) key[v] = load(keys + d * BLOCK + v * LANES);
#pragma GCC unroll 8
                for (int i = 0; i < Q; i++)
#pragma GCC unroll 4
                    for (int v = 0; v < PARTS; v++) acc[i][v] = madd(q[i][d], key[v], acc[i][v]);
            }
            for (int i = 0; i < Q; i++) {
                float* to = shares + (size_t(i) * blocks + b) * BLOCK;
                int position = pos[token[i]], seen = std::min(BLOCK, position + 1 - b * BLOCK);
                for (int v = 0; v < PARTS; v++)
                    put(to + v * LANES, exponential(c.cap * tangent(acc[i][v] * inside)));
                for (int s = std::max(seen, 0); s < BLOCK; s++) to[s] = 0;
                if (hide[token[i]])
                    for (int s = 0; s < seen; s++) to[s] = pads[b * BLOCK + s] ? 0 : to[s];
                for (int v = 0; v < PARTS; v++) sums[i] += load(to + v * LANES);
            }
        }
        for (int i = 0; i < Q; i++) total[i] = sum(sums[i]);
    }

    void add(int i, const float* what, const std::vector<float>& weight) {
        float* to = &h[size_t(i) * c.hidden];
        float* normed = &x[size_t(i) * c.hidden];
        model.norm(what, weight, normed);
        for (int d = 0; d < c.hidden; d++) to[d] += normed[d];
    }

    // Softmax over all experts, then the best k with their shares as they are.
    void route(const Layer& layer, int i) {
        const float* from = &x[size_t(i) * c.hidden];
        std::vector<float> gates(c.experts);
        float largest = -INFINITY, total = 0;
        for (int e = 0; e < c.experts; e++) {
            Vec acc = {};
            for (int d = 0; d < c.hidden; d += LANES) 
                acc = madd(load(from + d), load(&layer.router[size_t(e) * c.hidden + d]), acc);
            largest = std::max(largest, gates[e] = sum(acc));
        }
        for (float& gate : gates) total += gate = std::exp(gate - largest);
        Choice* chosen = &choices[size_t(i) * c.chosen];
        std::vector<char> taken(c.experts);
        for (int j = 0; j < c.chosen; j++) {
            int best = -1;
            for (int e = 0; e < c.experts; e++)
                if (!taken[e] && (best < 0 || gates[e] > gates[best])) best = e;
            taken[best] = 1;
            chosen[j] = {best, gates[best] / total, 0};
        }
        std::sort(chosen, chosen + c.chosen, [](const Choice& a, const Choice& b) { return a.expert < b.expert; });
    }

    void gather() {
        std::fill(starts.begin(), starts.end(), 0);
        for (auto& choice : choices) starts[choice.expert + 1]++;
        for (int e = 0; e < c.experts; e++) starts[e + 1] += starts[e];
        std::vector<int> next(starts.begin(), starts.end() - 1);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < c.chosen; j++) {
                auto& choice = choices[size_t(i) * c.chosen + j];
                choice.slot = next[choice.expert]++;
                expert_rows[choice.slot] = i;
            }
    }

    void experts(int l) {
        Layer& layer = model.layers[l];
        for (int i = 0; i < n; i++) {
            model.norm(&h[size_t(i) * c.hidden], layer.norm[2], &x[size_t(i) * c.hidden]);
            route(layer, i);
        }
        gather();
        std::vector<int> used;
        for (int e = 0; e < c.experts; e++)
            if (starts[e + 1] > starts[e]) used.push_back(e);
        bool many = large(size_t(c.inner) * c.hidden * c.chosen);
        const Matrix& up = layer.gate_up[0];
        Input in = input(x, up, n);
        model.pool.each(int(used.size()) * up.panels(), many, [&](int piece) {
            int e = used[piece / up.panels()], panel = piece % up.panels(), start = starts[e];
            Input mine = in;
            mine.which = &expert_rows[start];
            through(layer.gate_up[e], panel, mine, starts[e + 1] - start, [&](int m, const float* numbers) {
                float* to = &act[size_t(start + m) * c.inner + panel * PANEL / 2];
                alignas(64) float made[PANEL / 2];
                for (int i = 0; i < PANEL / 2; i += LANES)
                    put(made + i, gelu(load(numbers + i)) * load(numbers + PANEL / 2 + i));
                std::memcpy(to, made, std::min(PANEL / 2, c.inner - panel * PANEL / 2) * 4);
            });
        });
        const Matrix& down = layer.down[0];
        Input acts = input(act, down, n * c.chosen);
        model.pool.each(int(used.size()) * down.panels(), many, [&](int piece) {
            int e = used[piece / down.panels()], panel = piece % down.panels(), start = starts[e];
            Input mine = acts;
            mine.first = start;
            through(layer.down[e], panel, mine, starts[e + 1] - start, [&](int m, const float* numbers) {
                std::memcpy(&expert_out[size_t(start + m) * c.hidden + panel * PANEL], numbers, down.width(panel) * 4);
            });
        });
        for (int i = 0; i < n; i++) {
            float* to = &projected[size_t(i) * c.hidden];
            std::fill(to, to + c.hidden, 0.0f);
            for (int j = 0; j < c.chosen; j++) {
                const Choice& choice = choices[size_t(i) * c.chosen + j];
                const float* from = &expert_out[size_t(choice.slot) * c.hidden];
                for (int d = 0; d < c.hidden; d++) to[d] += choice.gate * from[d];
            }
            add(i, to, layer.norm[3]);
        }
    }
};

Model::~Model() = default;

int Model::step(int n, const int32_t* ids, const int32_t* row, const int32_t* pos, const int32_t* hide, int outs,
                const int32_t* out_at, float* logits) {
    if (!work) work = std::make_unique<Step>(*this);
    Step& step = *work;
    step.begin(n, row, pos, hide);
    for (int i = 0; i < n; i++) {
        pads[size_t(row[i]) * c.context + pos[i]] = ids[i] == c.pad;
        embedding.row(ids[i], c.embedding_multiplier, &step.h[size_t(i) * c.hidden]);
    }
    for (int l = 0; l < c.layers; l++) {
        step.attention(l);
        step.experts(l);
    }
    for (int j = 0; j < outs; j++)
        norm(&step.h[size_t(out_at[j]) * c.hidden], last_norm, &step.x[size_t(j) * c.hidden]);
    if (outs) step.multiply(head.data ? head : embedding, step.x, logits, outs, c.output_multiplier);
    return 0;
}

}  // namespace

// -- the C interface: 0 is well, -1 out of memory, -2 something that does not exist ----------------------

extern "C" {

int gw_abi() { return 2; }
int gw_lanes() { return LANES; }
int gw_has_vnni() {
#ifdef __AVX512VNNI__
    return 1;
#else
    return 0;
#endif
}

Model* gw_open(const Sizes* sizes) {
    try {
        return new Model(*sizes);
    } catch (const std::exception&) {
        return nullptr;
    }
}

void gw_close(Model* model) { delete model; }

// which: 0 embedding, 1 qkv, 2 o, 3 gates and ups of an expert, 4 its way down, 5 the head (int8 only; without it the
// embedding serves). Copies. `kind` as in Kind, but DOT8, which it becomes by itself. scale: [outputs][groups], int8 only.
int gw_matrix(Model* model, int which, int layer, int expert, int kind, const void* data, const float* scale, int groups) {
    const Sizes& c = model->c;
    if (layer < 0 || layer >= c.layers || expert < 0 || expert >= c.experts || kind < FLOAT32 || kind > INT8) return -2;
    Layer& l = model->layers[layer];
    const int wide = c.heads * c.head, all = (c.heads + 2 * c.kv_heads) * c.head;
    Matrix* targets[] = {&model->embedding, &l.qkv, &l.o, &l.gate_up[expert], &l.down[expert], &model->head};
    const int outputs[] = {c.vocab, all, c.hidden, 2 * c.inner, c.hidden, c.vocab};
    const int inputs[] = {c.hidden, c.hidden, wide, c.hidden, c.inner, c.hidden};
    if (which < 0 || which > 5 || (which == 0 && kind == INT8) || (which == 5 && kind != INT8)) return -2;
    try {
        Matrix& a = *targets[which];
        a.outputs = outputs[which], a.inputs = inputs[which], a.kind = Kind(kind), a.groups = kind == INT8 ? groups : 1;
        if (which == 3) a.outputs = (c.inner + 31) / 32 * PANEL;  // gates and ups in turns of 32
        std::vector<int> order(size_t(a.panels()) * PANEL);  // which row each column of the panels is
        for (int o = 0; o < int(order.size()); o++) {
            int inner = o / PANEL * 32 + o % 32;
            order[o] = which == 3 ? (inner >= c.inner ? -1 : o % PANEL < 32 ? inner : c.inner + inner)
                                  : (o < a.outputs ? o : -1);
        }
        if (kind == INT8) {
            a.kind = c.dot8 ? DOT8 : INT8, a.block = MOST_BLOCK;
            while (a.inputs / a.groups % a.block) a.block /= 2;
            if (a.block % (c.dot8 ? Bytes::TOGETHER : Words::TOGETHER)) return -2;
            a.pack_scales(scale, order.data());
        }
        switch (a.kind) {
            case FLOAT32: a.pack(static_cast<const float*>(data), order.data()); break;
            case BFLOAT16: a.pack(static_cast<const bfloat16*>(data), order.data()); break;
            case INT8: a.pack_whole<Words>(static_cast<const int8_t*>(data), order.data()); break;
            case DOT8: a.pack_whole<Bytes>(static_cast<const int8_t*>(data), order.data()); break;
        }
        return 0;
    } catch (const std::exception&) {
        return -1;
    }
}

// which: 0 router [E, H], 1..4 the norms, 5 the last norm, 6 and 7 cosine and sine [context, D].
int gw_vector(Model* model, int which, int layer, const float* data) {
    const Sizes& c = model->c;
    if (layer < 0 || layer >= c.layers || which < 0 || which > 7) return -2;
    Layer& l = model->layers[layer];
    std::vector<float>* targets[] = {&l.router, &l.norm[0], &l.norm[1], &l.norm[2],
                                     &l.norm[3], &model->last_norm, &model->cosine, &model->sine};
    size_t table = size_t(c.context) * c.head;
    size_t count = which == 0 ? size_t(c.experts) * c.hidden : which < 6 ? size_t(c.hidden) : table;
    try {
        targets[which]->assign(data, data + count);
        return 0;
    } catch (const std::exception&) {
        return -1;
    }
}

// The arrays must have been checked (networks/batch.py): ids in the vocabulary, rows and positions in the cache,
// the tokens of a row together and in order. logits: [outs, vocab].
int gw_step(Model* model, int n, const int32_t* ids, const int32_t* row, const int32_t* pos, const int32_t* hide,
            int outs, const int32_t* out_at, float* logits) {
    try {
        return model->step(n, ids, row, pos, hide, outs, out_at, logits);
    } catch (const std::exception&) {
        return -1;
    }
}

}  // extern "C"
