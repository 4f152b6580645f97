//! Arrays as NumPy writes them, alone (.npy) and in an archive (.npz).

use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// An array: its head and its data.
pub fn array(kind: &str, first_axis_fastest: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if first_axis_fastest { "True" } else { "False" };
    let mut head = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + head.len() + 1) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.as_bytes());
    bytes.extend(data);
    bytes
}

/// Files in an archive, deflated or not.
///
/// # Panics
/// A name is there twice.
pub fn archive(deflated: bool, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let method = if deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).expect("a file in an archive in memory");
        writer.write_all(bytes).expect("its bytes");
    }
    writer.finish().expect("an archive in memory").into_inner()
}
