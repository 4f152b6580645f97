//! Tests of `settings.rs`: values, alternatives, requirements, and each mistake.

use super::super::testing::{only, program, shown};
use super::*;

const MODEL: &str = "model M(x: [T, dim]; dim, hidden = 4 * dim, tied = 1) {
  up = affine(x; hidden)
}\n";

/// A configuration with a few entries of each kind.
fn config(path: &[&str]) -> Setting {
    match path {
        ["n_embd"] => Setting::Number(48.0),
        ["n_inner"] => Setting::Null,
        ["text", "hidden"] => Setting::Number(7.0),
        ["tie"] => Setting::Bool(true),
        ["act"] => Setting::Text("relu".to_string()),
        ["list"] => Setting::Several(3),
        _ => Setting::Missing,
    }
}

fn values(lines: &str) -> Result<Vec<(String, f64)>, (String, String, String)> {
    let (program, sources) = program(&format!("{MODEL}checkpoint M {{\n{lines}\n}}"));
    match settings(&program, "M", FileFormat::Safetensors, &BTreeMap::new(), &config) {
        Ok(values) => Ok(values.into_iter().collect()),
        Err(diagnostics) => Err(only(&diagnostics, &sources)),
    }
}

fn mistake(lines: &str) -> String {
    let (message, place, help) = values(lines).unwrap_err();
    format!("{message} @ {place} @ {help}")
}

#[test]
fn settings_take_the_first_alternative_that_is_there() {
    let lines = "dim = config.n_embd\nhidden = config.n_inner or config.none or 4 * dim + 1\n\
                 tied = config.tie";
    let found = values(lines).unwrap();
    let wanted = [("dim", 48.0), ("hidden", 193.0), ("tied", 1.0)];
    assert_eq!(found, wanted.map(|(name, value)| (name.to_string(), value)));
    assert_eq!(values("hidden = config.text.hidden").unwrap()[0].1, 7.0);
    assert_eq!(values("hidden = length(config.none) or 2 * length(config.list)").unwrap()[0].1, 6.0);
    assert_eq!(
        mistake("dim = length(config.n_embd)"),
        "`config.n_embd` is 48 in the checkpoint's configuration @ config.n_embd @ "
    );
}

#[test]
fn what_is_missing_is_an_error_only_without_a_default() {
    assert_eq!(values("hidden = config.n_inner").unwrap(), []);
    assert_eq!(
        mistake("dim = config.width or 2 * config.n_inner"),
        "the checkpoint's configuration has no `config.width` and no `config.n_inner` @ dim \
         @ give the parameter a value: `dim = …`"
    );
}

#[test]
fn what_is_given_is_not_asked_for_and_settings_below_read_it() {
    let lines = "dim = config.width\nhidden = 2 * dim";
    let (program, sources) = program(&format!("{MODEL}checkpoint M {{\n{lines}\n}}"));
    let given = BTreeMap::from([("dim".to_string(), 6.0)]);
    let found = settings(&program, "M", FileFormat::Safetensors, &given, &config);
    let found = found.unwrap_or_else(|diagnostics| panic!("{}", shown(&diagnostics, &sources)));
    assert_eq!(found, BTreeMap::from([("dim".to_string(), 6.0), ("hidden".to_string(), 12.0)]));
}

#[test]
fn requirements_are_met_or_say_what_was_expected_and_found() {
    let met = "require config.act is \"gelu\" or \"relu\"\nrequire config.tie is true\n\
               require config.n_embd is 48\nrequire config.none is null";
    assert_eq!(values(met).unwrap(), []);
    assert_eq!(
        mistake("require config.act is \"gelu\" or null"),
        "this file's model computes `act` \"gelu\" or null; the checkpoint asks for \"relu\" \
         @ config.act @ the checkpoint needs a model of other equations: write one for it"
    );
    assert!(mistake("require config.none is 1").contains("asks for nothing"));
    assert!(mistake("require config.list is false").contains("asks for a list or an object"));
    assert!(mistake("require act is 1").starts_with("`act` can't be required"));
    assert!(mistake("require config.act is relu").starts_with("`relu` is nothing that can be"));
}

#[test]
fn settings_that_are_written_wrongly_are_told() {
    assert!(mistake("hiden = 1").ends_with("did you mean `hidden`?"));
    assert!(mistake("hidden = 1\nhidden = 2").starts_with("`hidden` is set twice @ hidden"));
    assert!(mistake("hidden = config.act").starts_with("`config.act` is \"relu\" in the check"));
    assert!(mistake("hidden = dim").starts_with("`dim` has no value here @ dim"));
    assert!(mistake("hidden = 1 / 0").starts_with("`hidden` would not be a number @ 1 / 0"));
    assert!(mistake("hidden = sqrt(2)").starts_with("a size in a table is made of"));
}

#[test]
fn a_table_for_no_model_is_told_and_no_table_sets_nothing() {
    let (with, sources) = program(&format!("{MODEL}checkpoint N {{ dim = 1 }}"));
    let diagnostics = settings(&with, "M", FileFormat::Safetensors, &BTreeMap::new(), &config).unwrap_err();
    assert_eq!(only(&diagnostics, &sources).0, "there is no model `N`");
    let (without, _) = program(MODEL);
    assert!(settings(&without, "M", FileFormat::Safetensors, &BTreeMap::new(), &config).unwrap().is_empty());
}

#[test]
fn all_mistakes_are_told_at_once() {
    let lines = "dim = config.width\nhiden = 1\nrequire config.act is \"gelu\"";
    let (program, sources) = program(&format!("{MODEL}checkpoint M {{\n{lines}\n}}"));
    let diagnostics = settings(&program, "M", FileFormat::Safetensors, &BTreeMap::new(), &config).unwrap_err();
    assert_eq!(diagnostics.len(), 3, "{}", shown(&diagnostics, &sources));
}
