use super::*;

fn sampling(temperature: f64) -> Sampling {
    Sampling { temperature, ..Sampling::default() }
}

/// How often each token is drawn.
fn counts(sampling: &Sampling, logits: &[f32], draws: usize) -> Vec<usize> {
    let mut sampler = Sampler::new(sampling, 5, 0);
    let mut counts = vec![0; logits.len()];
    for _ in 0..draws {
        counts[sampler.next(logits).unwrap() as usize] += 1;
    }
    counts
}

/// Logits of these probabilities.
fn logits(probabilities: &[f32]) -> Vec<f32> {
    probabilities.iter().map(|probability| probability.ln()).collect()
}

#[test]
fn at_temperature_0_the_first_of_the_largest_is_taken() {
    let mut sampler = Sampler::new(&Sampling::default(), 0, 0);
    assert_eq!(sampler.next(&[1.0, 3.0, 3.0, -1.0]), Some(1));
    assert_eq!(sampler.next(&[f32::NEG_INFINITY, -3.0]), Some(1));
    assert_eq!(sampler.next(&[1.0, f32::INFINITY, 2.0]), Some(1));
    assert_eq!(sampler.next(&[1.0, f32::NAN, 2.0]), None);
    assert_eq!(sampler.next(&[]), None);
}

#[test]
fn tokens_come_as_often_as_they_are_probable() {
    let drawn = counts(&sampling(1.0), &logits(&[0.5, 0.3, 0.15, 0.05]), 20_000);
    for (count, probability) in drawn.iter().zip([0.5, 0.3, 0.15, 0.05]) {
        let expected = 20_000.0 * probability;
        // Five standard deviations.
        let width = 5.0 * f64::sqrt(expected * (1.0 - probability));
        assert!((*count as f64 - expected).abs() < width, "{drawn:?}");
    }
    // At temperature 1/2 probabilities are squared.
    let drawn = counts(&sampling(0.5), &logits(&[0.6, 0.4]), 20_000);
    let expected = 20_000.0 * 0.36 / (0.36 + 0.16);
    assert!((drawn[0] as f64 - expected).abs() < 5.0 * 66.0, "{drawn:?}");
}

#[test]
fn top_k_leaves_the_most_probable_and_of_equals_the_first() {
    let drawn = counts(&Sampling { top_k: Some(2), ..sampling(1.0) }, &logits(&[0.2, 0.3, 0.3, 0.2]), 1000);
    assert!(drawn[0] == 0 && drawn[3] == 0 && drawn[1] > 0 && drawn[2] > 0, "{drawn:?}");
    let drawn = counts(&Sampling { top_k: Some(1), ..sampling(1.0) }, &logits(&[0.25; 4]), 100);
    assert_eq!(drawn, [100, 0, 0, 0]);
    let drawn = counts(&Sampling { top_k: Some(9), ..sampling(1.0) }, &logits(&[0.25; 4]), 1000);
    assert!(drawn.iter().all(|count| *count > 0), "{drawn:?}");
}

#[test]
fn top_p_leaves_the_fewest_that_have_p_together() {
    let probabilities = logits(&[0.05, 0.5, 0.15, 0.3]);
    for (p, left) in
        [(0.4, vec![1]), (0.51, vec![1, 3]), (0.8, vec![1, 3]), (0.81, vec![1, 2, 3]), (1.0, vec![0, 1, 2, 3])]
    {
        let drawn = counts(&Sampling { top_p: Some(p - 1e-6), ..sampling(1.0) }, &probabilities, 2000);
        let found: Vec<usize> = (0..4).filter(|token| drawn[*token] > 0).collect();
        assert_eq!(found, left, "p = {p}");
    }
    // As exactly over a vocabulary that is put in order part by part.
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let all: Vec<Candidate> = (0..5000).map(|token| (token, (random.next_u32() % 1000) as f64)).collect();
    for share in [0.01, 0.3, 0.9, 0.999] {
        let mut kept = all.clone();
        nucleus(&mut kept, share);
        let mut sorted = all.clone();
        sorted.sort_by(by_probability);
        let enough = share * all.iter().map(|(_, share)| share).sum::<f64>();
        let mut together = 0.0;
        let count = sorted.iter().take_while(|(_, share)| {
            let more = together < enough;
            together += share;
            more
        });
        assert_eq!(kept, sorted[..count.count()]);
    }
}

#[test]
fn min_p_leaves_what_is_near_the_most_probable() {
    let drawn = counts(&Sampling { min_p: Some(0.29), ..sampling(1.0) }, &logits(&[0.5, 0.3, 0.15, 0.05]), 1000);
    assert!(drawn[0] > 0 && drawn[1] > 0 && drawn[2] > 0 && drawn[3] == 0, "{drawn:?}");
    // Of the probabilities that the temperature leaves: squared, 0.09 of the first.
    let drawn = counts(&Sampling { min_p: Some(0.29), ..sampling(0.5) }, &logits(&[0.5, 0.3, 0.15, 0.05]), 1000);
    assert!(drawn[0] > 0 && drawn[1] > 0 && drawn[2] == 0 && drawn[3] == 0, "{drawn:?}");
}

#[test]
fn tokens_that_were_there_become_less_probable() {
    let mut sampler = Sampler::new(&Sampling { repetition_penalty: 2.0, ..Sampling::default() }, 0, 0);
    assert_eq!(sampler.next(&[3.0, 2.0, -1.0]), Some(0));
    sampler.saw(&[0]);
    assert_eq!(sampler.next(&[3.0, 2.0, -1.0]), Some(1));
    // A negative number becomes more so.
    assert_eq!(sampler.next(&[-1.0, -1.5, -9.0]), Some(1));
}

#[test]
fn what_is_drawn_depends_on_the_seed_and_the_sequence_alone() {
    let drawn = |seed: u64, sequence: u64| -> Vec<u32> {
        let mut sampler = Sampler::new(&sampling(1.0), seed, sequence);
        (0..20).map(|_| sampler.next(&[0.0; 50]).unwrap()).collect()
    };
    assert_eq!(drawn(1, 0), drawn(1, 0));
    assert_ne!(drawn(1, 0), drawn(2, 0));
    assert_ne!(drawn(1, 0), drawn(1, 1));
    // The generator is part of what is documented: another one would change everybody's texts.
    assert_eq!(drawn(1, 0)[..8], [20, 4, 29, 10, 14, 35, 23, 7]);
}
