// What an adapter can do at best: multiply-adds that stay in registers, and reads of a buffer.

override vectors: u32;
override stride: u32;
override factor: f32;

@group(0) @binding(0) var<uniform> turns: vec4<u32>;
@group(0) @binding(1) var<storage, read> numbers: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

// Eight chains side by side, so that none waits for itself.
@compute @workgroup_size(256)
fn multiply_adds(@builtin(global_invocation_id) id: vec3<u32>) {
    let addend = numbers[id.x % vectors];
    let factors = vec4<f32>(factor);
    var a = addend + 1.0;
    var b = addend + 2.0;
    var c = addend + 3.0;
    var d = addend + 4.0;
    var e = addend + 5.0;
    var f = addend + 6.0;
    var g = addend + 7.0;
    var h = addend + 8.0;
    for (var turn = 0u; turn < turns.x; turn++) {
        a = fma(a, factors, addend);
        b = fma(b, factors, addend);
        c = fma(c, factors, addend);
        d = fma(d, factors, addend);
        e = fma(e, factors, addend);
        f = fma(f, factors, addend);
        g = fma(g, factors, addend);
        h = fma(h, factors, addend);
    }
    sums[id.x] = dot(a + b + c + d + e + f + g + h, vec4<f32>(1.0));
}

// In each turn all invocations together read a run of vectors, one each; the number of vectors is a power of two.
@compute @workgroup_size(256)
fn reads(@builtin(global_invocation_id) id: vec3<u32>) {
    var sum = vec4<f32>(0.0);
    for (var turn = 0u; turn < turns.x; turn++) {
        sum += numbers[(id.x + turn * stride) & (vectors - 1u)];
    }
    sums[id.x] = dot(sum, vec4<f32>(1.0));
}
