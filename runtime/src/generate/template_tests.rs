use super::*;

fn rendered(source: &str) -> Result<String, String> {
    let special = BTreeMap::from([("bos_token".to_string(), "<s>".to_string())]);
    let messages = [("system", "Be brief."), ("user", "Hello <b>\"you\"</b>")];
    let messages = messages.map(|(role, content)| Message { role: role.to_string(), content: content.to_string() });
    Template::new(source, Path::new("chat_template.jinja"), &special).render(&messages)
}

#[test]
fn a_conversation_becomes_a_prompt() {
    // The form of ChatML, with blanks that trimming takes.
    let source = "{{ bos_token }}
{%- for message in messages %}
    {%- if loop.first and messages[0]['role'] != 'system' %}{{ 'nobody' }}{% endif %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message.content.strip() + '<|im_end|>' + '\\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\\n' }}
{%- endif %}";
    let wanted = "<s><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello <b>\"you\"</b><|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(rendered(source).unwrap(), wanted);
}

#[test]
fn what_templates_expect_is_there() {
    assert_eq!(rendered("{{ messages[0].content | tojson }}").unwrap(), "\"Be brief.\"");
    // As Python writes it, and no letter is escaped for HTML.
    let json = "{{ {'a': [1, 'é<'], 'b': none} | tojson }}";
    assert_eq!(rendered(json).unwrap(), "{\"a\": [1, \"é<\"], \"b\": null}");
    let json = "{{ {'a': [1]} | tojson(indent=2, ensure_ascii=false) }}";
    assert_eq!(rendered(json).unwrap(), "{\n  \"a\": [\n    1\n  ]\n}");
    assert_eq!(rendered("{{ 'a,b'.split(',')[-1].upper() }}{{ 'xay'.replace('a', '-') }}").unwrap(), "Bx-y");
    assert_eq!(
        rendered("{% for x in [1,2,3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}").unwrap(),
        "13"
    );
    assert_eq!(rendered("{% if tools is none and documents is none %}none{% endif %}").unwrap(), "none");
    assert_eq!(rendered("{% if not unknown is defined %}{{ unknown }}!{% endif %}").unwrap(), "!");
    assert_eq!(
        rendered("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}")
            .unwrap(),
        "2"
    );
    let year = rendered("{{ strftime_now('%Y') }}").unwrap();
    assert!(year.parse::<i32>().is_ok_and(|year| year > 2000), "{year}");
    let marked = "a {%- generation -%} b {%- endgeneration %} c{% generation %}d{% endgeneration %}";
    assert_eq!(rendered(marked).unwrap(), "ab cd");
}

#[test]
fn a_template_that_refuses_or_is_wrong_is_an_error() {
    assert_eq!(
        rendered("{{ raise_exception('no system, please') }}").unwrap_err(),
        "the chat template in chat_template.jinja refuses the conversation: no system, please"
    );
    let wrong = rendered("a\n{% if %}").unwrap_err();
    assert!(
        wrong.starts_with("the chat template in chat_template.jinja can't be rendered, line 2: syntax error"),
        "{wrong}"
    );
    for source in
        ["{{ messages.x.y }}", "{{ nothing() }}", "{{ strftime_now('%') }}", "{{ 1 / 0 }}", "{{ 'a' | tojson(x=1) }}"]
    {
        let wrong = rendered(source).unwrap_err();
        assert!(wrong.contains("can't be rendered, line 1: "), "{source}: {wrong}");
    }
    // No file is read.
    for source in ["{% include '/etc/hostname' %}", "{% import 'x' as y %}", "{% extends 'x' %}"] {
        assert!(rendered(source).is_err(), "{source}");
    }
}

#[test]
fn a_template_ends_in_bounded_time_and_memory() {
    let loops = [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{{ 'x' * 99999999999 }}",
        "{% for i in range(100000) %}{{ 'x' * 100000 }}{% endfor %}",
        "{% for i in range(100000) %}{{ ('x' * 100000) | replace('x', 'yy') | tojson }}{% endfor %}",
    ];
    for source in loops {
        let begun = std::time::Instant::now();
        let wrong = rendered(source).unwrap_err();
        assert!(begun.elapsed().as_secs() < 30, "{source}");
        assert!(
            wrong.contains("takes more than 2000000 steps") || wrong.contains("can't be rendered"),
            "{source}: {wrong}"
        );
    }
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(rendered(&format!("{{{{ {deep} }}}}")).is_err());
}
