//! Tests of `tensor.rs`: every element type, aligned and not.

use super::*;

/// A view of one dimension over `bytes`.
fn with_view<T>(dtype: Dtype, bytes: &[u8], use_view: impl FnOnce(TensorView<'_>) -> T) -> T {
    let shape = vec![bytes.len() * 8 / dtype.bitsize()];
    let place = Place { format: Format::Plain(dtype), shape, bytes: 0..bytes.len() };
    use_view(TensorView::new(Path::new("m.safetensors"), "t", &place, bytes))
}

fn floats(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    with_view(dtype, bytes, |view| {
        let elements = view.elements().unwrap();
        let one_by_one: Vec<f32> = (0..elements.len()).map(|index| elements.get(index)).collect();
        assert_eq!(elements.to_vec(), one_by_one);
        assert_eq!(elements.is_empty(), bytes.is_empty());
        one_by_one
    })
}

fn owned(dtype: Dtype, bytes: &[u8]) -> Values {
    with_view(dtype, bytes, |view| view.to_tensor().unwrap().into_parts().1)
}

#[test]
fn floating_point_types_become_f32() {
    let wanted = [1.5_f32, -0.25, 65504.0];
    let as_bytes =
        |convert: fn(f32) -> Vec<u8>| -> Vec<u8> { wanted.iter().flat_map(|&number| convert(number)).collect() };
    for (dtype, bytes) in [
        (Dtype::F32, as_bytes(|number| number.to_le_bytes().to_vec())),
        (Dtype::F64, as_bytes(|number| f64::from(number).to_le_bytes().to_vec())),
        (Dtype::F16, as_bytes(|number| f16::from_f32(number).to_le_bytes().to_vec())),
    ] {
        assert_eq!(floats(dtype, &bytes), wanted, "{dtype}");
        assert_eq!(owned(dtype, &bytes), Values::Floats(wanted.to_vec()), "{dtype}");
    }
    let brain: Vec<u8> = [1.5, -0.25].iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect();
    assert_eq!(floats(Dtype::BF16, &brain), [1.5, -0.25]);
    assert_eq!(owned(Dtype::BF16, &brain), Values::Floats(vec![1.5, -0.25]));
}

#[test]
fn infinities_and_nan_survive() {
    let bytes: Vec<u8> = [f16::INFINITY, f16::NEG_INFINITY, f16::NAN].iter().flat_map(|x| x.to_le_bytes()).collect();
    let numbers = floats_with_nan(&bytes);
    assert_eq!(numbers[..2], [f32::INFINITY, f32::NEG_INFINITY]);
    assert!(numbers[2].is_nan());
}

fn floats_with_nan(bytes: &[u8]) -> Vec<f32> {
    with_view(Dtype::F16, bytes, |view| view.elements().unwrap().to_vec())
}

#[test]
fn integers_become_f32_or_i64() {
    macro_rules! check {
        ($($dtype:ident $type:ty),*) => {$(
            let wanted = [<$type>::MIN, 3, <$type>::MAX];
            let bytes: Vec<u8> = wanted.iter().flat_map(|number| number.to_le_bytes()).collect();
            assert_eq!(floats(Dtype::$dtype, &bytes), wanted.map(|number| number as f32));
            let wanted = wanted.map(|number| number as i64).to_vec();
            assert_eq!(owned(Dtype::$dtype, &bytes), Values::Integers(wanted));
        )*};
    }
    check!(I64 i64, I32 i32, I16 i16, I8 i8, U32 u32, U16 u16, U8 u8);
    assert_eq!(floats(Dtype::BOOL, &[0, 1, 2]), [0.0, 1.0, 1.0]);
    assert_eq!(owned(Dtype::BOOL, &[0, 1, 2]), Values::Integers(vec![0, 1, 1]));
}

#[test]
fn numbers_past_i64_are_an_error_only_as_integers() {
    let small = 7_u64.to_le_bytes();
    assert_eq!(owned(Dtype::U64, &small), Values::Integers(vec![7]));
    let large = u64::MAX.to_le_bytes();
    assert_eq!(floats(Dtype::U64, &large), [u64::MAX as f32]);
    let error = with_view(Dtype::U64, &large, |view| view.to_tensor().unwrap_err());
    assert!(error.to_string().ends_with("tensor `t` has a number larger than an i64 holds"));
}

#[test]
fn aligned_floats_are_read_in_place_and_others_copied() {
    let numbers = [1.0_f32, 2.0, 3.0];
    let mut store = [0_u8; 16];
    let aligned = store.as_ptr().align_offset(4) % 4;
    for start in [aligned, (aligned + 1) % 4] {
        let bytes = &mut store[start..start + 12];
        bytes.copy_from_slice(&numbers.map(f32::to_le_bytes).concat());
        let bytes = &store[start..start + 12];
        with_view(Dtype::F32, bytes, |view| {
            let elements = view.elements().unwrap();
            let slice = elements.as_slice().unwrap();
            assert_eq!(slice, numbers);
            let in_place = slice.as_ptr().cast::<u8>() == bytes.as_ptr();
            assert_eq!(in_place, start == aligned && cfg!(target_endian = "little"));
        });
    }
}

#[test]
fn unreadable_types_are_an_error_with_a_hint() {
    for dtype in [Dtype::F8_E4M3, Dtype::F4, Dtype::C64] {
        with_view(dtype, &[0; 8], |view| {
            let error = view.elements().unwrap_err();
            let expected = format!("tensor `t` has elements of type {dtype}");
            assert!(error.to_string().ends_with(&expected), "{error}");
            assert!(error.help().unwrap().contains("convert"));
            assert_eq!(view.to_tensor().unwrap_err(), error);
        });
    }
}

#[test]
fn an_owned_tensor_has_as_many_elements_as_its_shape_says() {
    let tensor = Tensor::new(vec![1, 2], Values::Integers(vec![4, 5])).unwrap();
    assert_eq!((tensor.shape(), tensor.values()), (&[1, 2][..], &Values::Integers(vec![4, 5])));
    assert!(Tensor::new(vec![], Values::Floats(vec![1.0])).is_ok());
    assert!(Tensor::new(vec![2, 0], Values::Floats(vec![])).is_ok());
    assert!(Tensor::new(vec![3], Values::Floats(vec![1.0])).is_err());
    assert!(Tensor::new(vec![usize::MAX, 2], Values::Floats(vec![])).is_err());
}
