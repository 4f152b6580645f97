//! Tests of resolving tables: formulas, rows, repeats, and each mistake.

use super::super::testing::{model, only, program, shown};
use super::*;

const LSTM: &str = "use cells
model M(x: [T, input]; input = 3, size = 2) { y = LSTM(x; size) }
checkpoint M {
  \"w_ih\" = stack(y.input.x, y.forget.x, y.candidate.x, y.output.x)
  \"w_hh\" = stack(y.input.h, y.forget.h, y.candidate.h, y.output.h)
  \"b_ih\" + \"b_hh\" = stack(y.input.bias, y.forget.bias, y.candidate.bias, y.output.bias)
}";

const LAYERS: &str = "block Layer(x: [T, dim]; heads, head_dim = dim / heads) {
  q = affine(x; heads, head_dim)
  k = affine(x; heads, head_dim)
  out = affine(q + k; dim)
}
model M(x: [T, dim]; layers = 2, dim = 6, heads = 2) {
  repeat layer in 0..layers { x = Layer(x; heads) }
  head = linear(x; dim)
}\n";

const LAYER_LINES: &str = "repeat layer {
    \"{layer}.w\" = transpose(stack(q, k))
    \"{layer}.b\" = stack(q.bias, k.bias)
    \"{layer}.o\" = out
    \"{layer}.ob\" = out.bias
  }\n";

fn resolved(text: &str) -> Result<String, Vec<(String, String, String)>> {
    let (program, sources) = program(text);
    let model = model(&program, &sources, &[]);
    match bindings(&program, &model, FileFormat::Safetensors) {
        Ok(table) => Ok(table.print(&model)),
        Err(diagnostics) => Err(diagnostics.into_iter().map(|one| only(&[one], &sources)).collect()),
    }
}

/// The only mistake of a table over `LAYERS`.
fn mistake(lines: &str) -> String {
    let found = resolved(&format!("{LAYERS}checkpoint M {{\n{lines}\n}}")).unwrap_err();
    let [(message, place, help)] = found.as_slice() else { panic!("not one: {found:?}") };
    format!("{message} @ {place} @ {help}")
}

#[test]
fn packed_gates_are_stacked_in_the_order_of_the_file() {
    let (program, sources) = program(LSTM);
    let model = model(&program, &sources, &[]);
    let table =
        bindings(&program, &model, FileFormat::Safetensors).unwrap_or_else(|all| panic!("{}", shown(&all, &sources)));
    let packed = &table.bindings[0];
    assert_eq!((packed.matrix.rows(), packed.matrix.columns()), (8, 3));
    let paths: Vec<(&str, usize)> =
        packed.matrix.regions.iter().map(|region| (model.value(region.weight).path.as_str(), region.row)).collect();
    let wanted = [("y.input.x", 0), ("y.forget.x", 2), ("y.candidate.x", 4), ("y.output.x", 6)];
    assert_eq!(paths, wanted);
    assert_eq!(table.bindings[2].sources.len(), 2);
    assert_eq!(table.bindings[2].matrix.axes(), [8]);
}

#[test]
fn repeats_unroll_and_transposes_turn() {
    let lines = format!("prefix \"t.\" optional\n{LAYER_LINES}\"head\" = head\nignore \"*.x\"");
    let text = resolved(&format!("{LAYERS}checkpoint M {{\n{lines}\n}}")).unwrap();
    assert_eq!(
        text,
        "checkpoint M {
  prefix \"t.\" optional
  \"0.w\" = transpose(stack(layer.0.q, layer.0.k))  // [6, 12]
  \"0.b\" = stack(layer.0.q.bias, layer.0.k.bias)  // [12]
  \"0.o\" = layer.0.out  // [6, 2, 3]
  \"0.ob\" = layer.0.out.bias  // [6]
  \"1.w\" = transpose(stack(layer.1.q, layer.1.k))  // [6, 12]
  \"1.b\" = stack(layer.1.q.bias, layer.1.k.bias)  // [12]
  \"1.o\" = layer.1.out  // [6, 2, 3]
  \"1.ob\" = layer.1.out.bias  // [6]
  \"head\" = head  // [6, 6]
  ignore \"*.x\"
}
"
    );
}

#[test]
fn a_repeat_inside_a_block_is_reached_through_the_block() {
    let text = "block Stack(x: [T, dim]; layers) {
  repeat layer in 0..layers { x = linear(x; dim) }
}
model M(x: [T, dim]; dim = 2) {
  encoder = Stack(x; layers = 3)
  decoder = Stack(encoder; layers = 1)
}
checkpoint M {
  repeat layer { \"e{layer}\" = encoder }
  repeat layer { \"d{layer}\" = decoder.layer }
}";
    let text = resolved(text).unwrap();
    assert!(text.contains("\"e2\" = encoder.layer.2 "), "{text}");
    assert!(text.contains("\"d0\" = decoder.layer.0 ") && !text.contains("d1"), "{text}");
}

#[test]
fn repeats_nest() {
    let text = "model M(x: [T, dim]; dim = 2) {
  repeat layer in 0..2 { repeat part in 0..2 { x = linear(x; dim) } }
}
checkpoint M {
  repeat layer { repeat part { \"{layer}\"[part * dim .. (part + 1) * dim] = part } }
}";
    let text = resolved(text).unwrap();
    assert!(text.contains("\"1\"[2 .. 4] = layer.1.part.1 "), "{text}");
    assert_eq!(text.matches(" = ").count(), 4, "{text}");
}

#[test]
fn rows_of_a_tensor_and_names_to_choose_from() {
    let text = "model M(x: [T, dim]; dim = 2) { a = linear(x; dim)  b = linear(a; dim) }
checkpoint M { \"ab\"[.. dim] = a  \"ab\"[dim ..] | \"c\" = b }";
    // Rows follow all the names that they are of.
    assert!(program_fails(text));
    let text = text.replace("[dim ..] | \"c\"", " | \"c\"[dim ..]");
    let text = resolved(&text).unwrap();
    assert!(text.contains("\"ab\"[0 .. 2] = a") && text.contains("\"ab\" | \"c\"[2 .. 4] = b"));
}

fn program_fails(text: &str) -> bool {
    std::panic::catch_unwind(|| program(text)).is_err()
}

#[test]
fn without_a_table_names_and_axes_are_the_weights_own() {
    let text = resolved(LAYERS).unwrap();
    assert!(text.contains("\"layer.0.q\" = layer.0.q  // [2, 3, 6]"), "{text}");
}

#[test]
fn weights_that_no_line_names_are_listed() {
    assert_eq!(
        mistake(LAYER_LINES),
        "the table leaves out the weight `head` @ M @ add a line for each: `\"tensor\" = head`"
    );
    let all = mistake("\"head\" = head");
    assert!(all.starts_with("the table leaves out 12 weights: `layer.0.q`"), "{all}");
    assert!(all.contains(" and 2 more"), "{all}");
}

#[test]
fn unknown_names_get_a_hint() {
    let head = "\"head\" = head\n";
    let wrong = |from: &str, to: &str| mistake(&(head.to_string() + &LAYER_LINES.replace(from, to)));
    let found = wrong("k.bias", "k.bais");
    assert_eq!(found, "the model has no weight `k.bais` @ k.bais @ did you mean `k.bias`?");
    assert!(wrong("repeat layer", "repeat lyer").ends_with("did you mean `repeat layer`?"));
    assert!(wrong("{layer}.o\"", "{leyer}.o\"").ends_with("did you mean `{layer}`?"));
    assert!(wrong("\"{layer}.o\"", "\"{layer.o\"").starts_with("a `{` in a name is followed"));
    assert!(wrong("\"{layer}.o\"", "\"o{layer}\"[0 .. dmi]").ends_with("did you mean `dim`?"));
    assert!(wrong("= out\n", "= layer\n").contains("its weights are"));
}

#[test]
fn what_stands_twice_is_told_with_both_places() {
    let head = "\"head\" = head\n";
    let all = |more: &str| mistake(&format!("{head}{LAYER_LINES}{more}"));
    assert_eq!(all("\"h\" = head"), "the weight `head` is bound twice @ head @ ");
    assert!(all("repeat layer { \"h{layer}\" = head }").starts_with("the weight `head` is bound twice"));
    let same = mistake(&format!("{head}{}", LAYER_LINES.replace("{layer}.ob", "ob")));
    assert!(same.starts_with("the tensor `ob` is read in every iteration @ \"ob\""), "{same}");
    let names = mistake(&format!("{head}{}", LAYER_LINES.replace("{layer}.ob", "{layer}.o")));
    assert!(names.starts_with("rows of the tensor `0.o` are read twice"), "{names}");
    let nested = mistake(&format!("{head}{LAYER_LINES}repeat layer {{ repeat layer {{ }} }}"));
    assert!(nested.starts_with("`repeat layer` inside another one"), "{nested}");
}

#[test]
fn rows_that_do_not_fit_are_told() {
    let text = |lines: &str| {
        let model = "model M(x: [T, dim]; dim = 2) { a = linear(x; dim)  b = affine(a; size = 3) }\n";
        let found = resolved(&format!("{model}checkpoint M {{\n{lines}\n}}")).unwrap_err();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].0.clone()
    };
    let rest = "\"b\" = b  \"bb\" = b.bias  ";
    let one = |line: &str| text(&format!("{rest}{line}"));
    assert_eq!(one("\"a\"[0 .. 3] = a"), "3 rows are taken, but the right side has 2");
    assert_eq!(one("\"a\"[3 .. 1] = a"), "rows 3 .. 1 are none, but the right side has 2");
    assert_eq!(one("\"a\"[0.5 ..] = a"), "rows are counted from 0 in whole numbers");
    assert_eq!(one("\"a\"[1 ..] = a"), "no line reads the rows 0 .. 1 of `a`");
    let two = |a: &str, b: &str| text(&format!("\"bb\" = b.bias {a} = a {b} = b"));
    assert_eq!(two("\"a\"[0 ..]", "\"a\"[3 ..]"), "no line reads the rows 2 .. 3 of `a`");
    assert_eq!(two("\"a\"[0 ..]", "\"a\"[1 ..]"), "rows of the tensor `a` are read twice");
    let wide = text("\"b\" = b  \"a\"[0 ..] = a  \"a\"[2 ..] = b.bias");
    assert_eq!(wide, "the tensor `a` would have rows of two lengths");
}

#[test]
fn formulas_that_cannot_be_turned_are_told() {
    let lines =
        |formula: &str| format!("\"head\" = head\n{}", LAYER_LINES.replace("= out\n", &format!("= {formula}\n")));
    for formula in ["2 * out", "sqrt(out)", "out[0]", "stack(out where 1 < 2)", "-out"] {
        let found = mistake(&lines(formula));
        assert!(found.starts_with("a table can't be read both ways"), "{formula}: {found}");
    }
    assert!(mistake(&lines("transpose(out, q)")).starts_with("`transpose` with 2 weights"));
    assert!(mistake(&lines("stack(out, out.bias)")).starts_with("weights of different widths"));
    for line in ["prefix \"x\"", "require config.a is 1", "dim = 3"] {
        let found = mistake(
            &format!("\"head\" = head {LAYER_LINES} repeat layer {{ \"x{{layer}}\" = out {line} }}")
                .replace("\"{layer}.o\" = out\n", ""),
        );
        assert!(found.contains("can't differ between iterations"), "{line}: {found}");
    }
}

/// A query as rotary positions have it: its parts before its halves.
const QUERY: &str = "model M(x: [T, dim]; dim = 3) {
  q = affine(x; heads = 2, part = 2, half = 3)
  out = linear(q; dim)
}
";

#[test]
fn axes_run_in_the_order_of_the_file() {
    let lines = "checkpoint M { \"q\" = reorder(q; heads, half, part)  \"b\" = reorder(q.bias; heads, half, part)
  \"o\" = transpose(reorder(out; half, part, heads)) }";
    let (program, sources) = program(&format!("{QUERY}{lines}"));
    let model = model(&program, &sources, &[]);
    let table =
        bindings(&program, &model, FileFormat::Safetensors).unwrap_or_else(|all| panic!("{}", shown(&all, &sources)));
    let text = table.print(&model);
    assert!(text.contains("\"q\" = reorder(q; heads, half, part)  // [2, 3, 2, 3]"), "{text}");
    assert!(text.contains("\"o\" = transpose(reorder(out; half, part, heads))  // [3, 3, 2, 2]"), "{text}");
    let read = |binding: usize| {
        let matrix = &table.bindings[binding].matrix;
        let numbers: Vec<f32> = (0..matrix.rows() * matrix.columns()).map(|place| place as f32).collect();
        let mut weight = vec![-1.0; numbers.len()];
        matrix.regions.iter().for_each(|region| region.read(&numbers, matrix.columns(), &mut weight, false));
        let mut back = vec![-1.0; numbers.len()];
        matrix.regions.iter().for_each(|region| region.write(&weight, &mut back, matrix.columns()));
        assert_eq!(back, numbers);
        weight
    };
    let (q, bias, out) = (read(0), read(1), read(2));
    for (head, part, half) in (0..12).map(|place| (place / 6, place / 3 % 2, place % 3)) {
        let (ours, files) = ((head * 2 + part) * 3 + half, (head * 3 + half) * 2 + part);
        assert_eq!(bias[ours], files as f32);
        for dim in 0..3 {
            assert_eq!(q[ours * 3 + dim], (files * 3 + dim) as f32);
            // The file has `dim` as rows, and half, part, head as columns.
            assert_eq!(out[dim * 12 + ours], (dim * 12 + (half * 2 + part) * 2 + head) as f32);
        }
    }
}

#[test]
fn an_axis_of_both_sides_is_that_of_the_rows_first() {
    let text = "model M(x: [T, dim]; dim = 2) { a = linear(x; dim)  b = linear(a; dim) }
checkpoint M { \"a\" = reorder(a; dim)  \"b\" = reorder(b; dim, dim) }";
    let text = resolved(text).unwrap();
    assert!(text.contains("\"a\" = reorder(a; dim)  // [2, 2]"), "{text}");
    assert!(text.contains("\"b\" = reorder(b; dim, dim)  // [2, 2]"), "{text}");
}

#[test]
fn orders_that_are_none_are_told() {
    let mistake = |formula: &str| {
        let text = format!("{QUERY}checkpoint M {{ \"q\" = {formula} \"b\" = q.bias \"o\" = out }}");
        let found = resolved(&text).unwrap_err();
        let [(message, place, help)] = found.as_slice() else { panic!("not one: {found:?}") };
        format!("{message} @ {place} @ {help}")
    };
    assert_eq!(mistake("reorder(q; heads, hlaf)"), "the weight `q` has no axis `hlaf` @ hlaf @ did you mean `half`?");
    assert!(mistake("reorder(q; size)").ends_with("its axes are `heads`, `part`, `half`, `dim`"));
    assert!(mistake("reorder(q; half, part, half)").starts_with("`half` is named twice @ half"));
    assert!(mistake("reorder(q; half = 3)").starts_with("the axis `half` has its size @ 3"));
    assert!(mistake("reorder(q)").starts_with("`reorder` wants a weight and axes @ reorder @ `reorder(a; axes)`"));
    assert!(mistake("reorder(stack(q, q); half)").starts_with("only a weight's axes have names @ stack(q, q)"));
    assert!(mistake("reorder(p; half)").starts_with("the model has no weight `p`"));
    assert!(mistake("stack(q; half)").starts_with("a table can't be read both ways"));
}

/// A model with a table for any format and one for GGUF files.
const FORMATS: &str = "model M(x: [T, dim]; dim = 2) { a = linear(x; dim) }
checkpoint M { dim = config.any  \"any\" = a }
checkpoint M of gguf { dim = config.own  \"own\" = a }\n";

fn table_for(text: &str, format: FileFormat) -> Result<Vec<String>, (String, String, String)> {
    let (program, sources) = program(text);
    let model = model(&program, &sources, &[]);
    match bindings(&program, &model, format) {
        Ok(table) => Ok(table.bindings.into_iter().map(|one| one.sources[0].names[0].clone()).collect()),
        Err(diagnostics) => Err(only(&diagnostics, &sources)),
    }
}

#[test]
fn a_format_has_its_own_table_or_the_general_one() {
    assert_eq!(table_for(FORMATS, FileFormat::Gguf).unwrap(), ["own"]);
    assert_eq!(table_for(FORMATS, FileFormat::Safetensors).unwrap(), ["any"]);
    assert_eq!(table_for(FORMATS, FileFormat::Npz).unwrap(), ["any"]);
    let (program, _) = program(FORMATS);
    assert_eq!(super::super::formats(&program, "M"), [FileFormat::Safetensors, FileFormat::Gguf]);
    let (message, place, help) =
        table_for(&FORMATS.replace("checkpoint M {", "checkpoint M of npz {"), FileFormat::Safetensors).unwrap_err();
    assert_eq!(message, "no table of `M` is for safetensors files");
    assert_eq!((place.as_str(), help.as_str()), ("M", "add one: `checkpoint M of safetensors { … }`"));
    let unknown = FORMATS.replace("gguf", "gguff");
    let (message, place, help) = table_for(&unknown, FileFormat::Npz).unwrap_err();
    assert_eq!(message, "there is no file format `gguff`");
    assert_eq!((place.as_str(), help.as_str()), ("gguff", "did you mean `gguf`?"));
    let settings = |format| {
        let config = |path: &[&str]| match path {
            ["own"] => crate::table::Setting::Number(5.0),
            _ => crate::table::Setting::Missing,
        };
        crate::table::settings(&program, "M", format, &BTreeMap::new(), &config).unwrap()
    };
    assert_eq!(settings(FileFormat::Gguf), BTreeMap::from([("dim".to_string(), 5.0)]));
    assert_eq!(settings(FileFormat::Npz), BTreeMap::new());
}
