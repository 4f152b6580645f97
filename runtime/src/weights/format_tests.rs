//! Tests of `format.rs`: a block of each format, computed by hand, and every element of each by itself.

use super::*;

const ALL: [BlockFormat; 6] =
    [BlockFormat::Q4_0, BlockFormat::Q4_1, BlockFormat::Q5_0, BlockFormat::Q8_0, BlockFormat::Q4_K, BlockFormat::Q6_K];

fn expanded(format: BlockFormat, block: &[u8]) -> Vec<f32> {
    let mut to = vec![f32::NAN; format.elements()];
    format.expand(block, &mut to);
    to
}

/// A number as the two bytes of an F16.
fn half(number: f32) -> [u8; 2] {
    f16::from_f32(number).to_le_bytes()
}

/// A block that begins with these bytes, and is zeros after them.
fn block(format: BlockFormat, start: &[&[u8]]) -> Vec<u8> {
    let mut bytes = start.concat();
    bytes.resize(format.bytes(), 0);
    bytes
}

#[test]
fn q4_0_is_around_eight() {
    // Byte 0 holds 15 and, above it, 0; byte 1 holds 7 and 9.
    let found = expanded(BlockFormat::Q4_0, &block(BlockFormat::Q4_0, &[&half(0.5), &[0x0f, 0x97]]));
    assert_eq!((found[0], found[16]), (3.5, -4.0));
    assert_eq!((found[1], found[17]), (-0.5, 0.5));
    assert_eq!((found[2], found[31]), (-4.0, -4.0));
}

#[test]
fn q4_1_has_a_minimum() {
    let found = expanded(BlockFormat::Q4_1, &block(BlockFormat::Q4_1, &[&half(0.25), &half(-1.0), &[0x4f]]));
    assert_eq!((found[0], found[16]), (2.75, 0.0));
    assert_eq!((found[1], found[31]), (-1.0, -1.0));
}

#[test]
fn q5_0_has_its_fifth_bits_apart() {
    // The fifth bits of the elements 0, 9, 16 and 31.
    let start: [&[u8]; 3] = [&half(2.0), &[0x01, 0x02, 0x01, 0x80], &[0xff, 0x21]];
    let found = expanded(BlockFormat::Q5_0, &block(BlockFormat::Q5_0, &start));
    assert_eq!((found[0], found[16]), (30.0, 30.0));
    assert_eq!((found[1], found[17]), (-30.0, -28.0));
    assert_eq!((found[9], found[31]), (0.0, 0.0));
    assert_eq!((found[8], found[30]), (-32.0, -32.0));
}

#[test]
fn q8_0_is_signed() {
    let found = expanded(BlockFormat::Q8_0, &block(BlockFormat::Q8_0, &[&half(0.125), &[127, 128, 255, 1]]));
    assert_eq!(found[..5], [15.875, -16.0, -0.125, 0.125, 0.0]);
}

#[test]
fn q4_k_has_scales_and_minima_of_six_bits() {
    let mut bytes = block(BlockFormat::Q4_K, &[&half(0.5), &half(0.25)]);
    // Run 0: scale 3, minimum 5. Run 4: scale 0b01_0010 = 18, minimum 0b10_0001 = 33, whose upper
    // bits lie above those of run 0.
    bytes[4] = 3 | 0b01 << 6;
    bytes[8] = 5 | 0b10 << 6;
    bytes[12] = 0b0001_0010;
    // Run 3 has scale 63, and run 7 the upper bits of its scale with it.
    bytes[7] = 63 | 0b11 << 6;
    bytes[16] = 0x2f; // the first of run 0 is 15, the first of run 1 is 2
    bytes[16 + 64 + 31] = 0x07; // the last of run 4 is 7
    bytes[16 + 32 + 5] = 0x40; // the sixth of run 3 is 4
    let found = expanded(BlockFormat::Q4_K, &bytes);
    assert_eq!(found[0], 0.5 * 3.0 * 15.0 - 0.25 * 5.0);
    assert_eq!(found[1], -0.25 * 5.0);
    assert_eq!(found[32], 0.0, "run 1 has a scale of 0");
    assert_eq!(found[4 * 32 + 31], 0.5 * 18.0 * 7.0 - 0.25 * 33.0);
    assert_eq!(found[4 * 32], -0.25 * 33.0);
    assert_eq!(found[3 * 32 + 5], 0.5 * 63.0 * 4.0);
    let (scale, minimum) = scale_and_minimum(&bytes[4..16], 7);
    assert_eq!((scale, minimum), (0b11_0000, 0));
}

#[test]
fn q6_k_has_a_scale_for_each_sixteen() {
    let mut bytes = vec![0; BlockFormat::Q6_K.bytes()];
    bytes[208..].copy_from_slice(&half(0.5));
    bytes[192] = 2; // elements 0 .. 16
    bytes[192 + 1] = 0xff; // elements 16 .. 32: -1
    bytes[192 + 6] = 3; // the run 3 of the first half, its first 16
    bytes[192 + 13] = 4; // the run 2 of the second half, its last 16
    bytes[0] = 0x5f; // lower bits: 15 of element 0, 5 of element 64
    bytes[128] = 0b10_01_00_11; // upper bits: 3 of element 0, 0, 1 of element 64, 2 of element 96
    bytes[64 + 31] = 0xa0; // lower bits of the element 128 + 64 + 31: 10
    bytes[128 + 32 + 31] = 0b00_11_00_00; // and its upper bits: 3
    let found = expanded(BlockFormat::Q6_K, &bytes);
    assert_eq!(found[0], 0.5 * 2.0 * (63.0 - 32.0));
    assert_eq!(found[1], 0.5 * 2.0 * -32.0);
    assert_eq!(found[16], 0.5 * 32.0);
    assert_eq!(found[64], 0.0, "no scale there");
    assert_eq!(found[96], 0.5 * 3.0 * (32.0 - 32.0));
    assert_eq!(found[97], 0.5 * 3.0 * -32.0);
    assert_eq!(found[128 + 64 + 31], 0.5 * 4.0 * (58.0 - 32.0));
    assert_eq!(found[128 + 64 + 30], 0.5 * 4.0 * -32.0);
}

#[test]
fn sizes_are_those_of_whole_blocks() {
    for format in ALL {
        let blocks = Format::Blocks(format);
        assert_eq!(blocks.bits_of(3 * format.elements()), Some(3 * 8 * format.bytes()));
        assert_eq!(blocks.bits_of(format.elements() + 1), None);
        assert_eq!(blocks.bits_of(0), Some(0));
        assert_eq!(blocks.to_string(), format.name());
    }
    assert_eq!(Format::Plain(Dtype::F16).bits_of(3), Some(48));
    assert_eq!(Format::Plain(Dtype::F16).bits_of(usize::MAX), None);
    assert_eq!(Format::Plain(Dtype::BF16).to_string(), "BF16");
}
