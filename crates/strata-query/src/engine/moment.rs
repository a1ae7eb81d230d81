//! A range of steps and the moment after them: the newest samples are not yet on a step.

use std::collections::HashMap;

use strata_model::Labels;

use super::{
    Answer, AnswerSeries, InstantQuery, MetricsEngine, QueryError, QueryValue, RangeQuery,
};
use crate::engine::Value;

/// The range, then the moment.
pub(super) async fn range_and_moment<E: MetricsEngine + ?Sized>(
    engine: &E,
    query: RangeQuery,
    moment_ms: i64,
) -> Result<Answer, QueryError> {
    let last_ms = query.end_ms + query.step_ms;
    let RangeQuery { timeout, lookback_ms, .. } = query;
    let instant = InstantQuery { text: query.text.clone(), at_ms: moment_ms, timeout, lookback_ms };
    let mut answer = engine.range(query).await?;
    let moment = engine.instant(instant).await?;
    add_moment(&mut answer, moment, last_ms);
    Ok(answer)
}

/// Enter what holds at one moment as the step at `at_ms`.
pub(super) fn add_moment(answer: &mut Answer, moment: Answer, at_ms: i64) {
    if let QueryValue::Matrix(series) = &mut answer.value {
        append(series, moment.value, at_ms);
    }
    let (said, more) = (&mut answer.annotations, moment.annotations);
    for (said, more) in [(&mut said.warnings, more.warnings), (&mut said.infos, more.infos)] {
        let new: Vec<String> = more.into_iter().filter(|text| !said.contains(text)).collect();
        said.extend(new);
    }
}

fn append(series: &mut Vec<AnswerSeries>, moment: QueryValue, at_ms: i64) {
    let new = match moment {
        QueryValue::Vector(new) | QueryValue::Matrix(new) => new,
        QueryValue::Scalar(_, value) => {
            let points = vec![(at_ms, Value::Float(value))];
            vec![AnswerSeries { labels: Labels::empty(), points }]
        }
        QueryValue::String(..) => return,
    };
    let places: HashMap<Labels, usize> =
        series.iter().enumerate().map(|(place, one)| (one.labels.clone(), place)).collect();
    for one in new {
        let Some((_, value)) = one.points.into_iter().next_back() else { continue };
        match places.get(&one.labels).and_then(|place| series.get_mut(*place)) {
            Some(known) => known.points.push((at_ms, value)),
            None => series.push(AnswerSeries { labels: one.labels, points: vec![(at_ms, value)] }),
        }
    }
}

/// Part the answer to a question for a last step and the moment after it.
pub(super) fn part(answer: Answer, moment_ms: i64) -> (Answer, Answer) {
    let QueryValue::Matrix(series) = answer.value else {
        let none = Answer {
            value: QueryValue::Vector(Vec::new()),
            annotations: super::Annotations::default(),
        };
        return (answer, none);
    };
    let (mut step, mut moment) = (Vec::new(), Vec::new());
    for one in series {
        let (then, now): (Vec<_>, Vec<_>) =
            one.points.into_iter().partition(|(at_ms, _)| *at_ms < moment_ms);
        for (points, side) in [(then, &mut step), (now, &mut moment)] {
            if !points.is_empty() {
                side.push(AnswerSeries { labels: one.labels.clone(), points });
            }
        }
    }
    let moment =
        Answer { value: QueryValue::Vector(moment), annotations: answer.annotations.clone() };
    (Answer { value: QueryValue::Matrix(step), annotations: answer.annotations }, moment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Annotations;

    fn one(job: &str, points: &[(i64, f64)]) -> AnswerSeries {
        let labels = Labels::from_pairs([("job", job)]);
        let points = points.iter().map(|(at_ms, value)| (*at_ms, Value::Float(*value))).collect();
        AnswerSeries { labels, points }
    }

    fn matrix(series: Vec<AnswerSeries>) -> Answer {
        let annotations = Annotations { warnings: vec!["w".to_owned()], infos: Vec::new() };
        Answer { value: QueryValue::Matrix(series), annotations }
    }

    #[test]
    fn the_moment_is_the_last_step() {
        let mut answer =
            matrix(vec![one("goes on", &[(0, 1.0), (60, 2.0)]), one("ended", &[(60, 3.0)])]);
        let moment =
            QueryValue::Vector(vec![one("new", &[(171, 7.0)]), one("goes on", &[(171, 4.0)])]);
        let annotations = answer.annotations.clone();
        add_moment(&mut answer, Answer { value: moment, annotations }, 120);
        let wanted = matrix(vec![
            one("goes on", &[(0, 1.0), (60, 2.0), (120, 4.0)]),
            one("ended", &[(60, 3.0)]),
            one("new", &[(120, 7.0)]),
        ]);
        assert_eq!(answer, wanted);
    }

    #[test]
    fn a_step_and_the_moment_after_it_part() {
        let both = matrix(vec![
            one("goes on", &[(60, 2.0), (171, 4.0)]),
            one("ended", &[(60, 3.0)]),
            one("new", &[(171, 7.0)]),
        ]);
        let (step, moment) = part(both, 171);
        assert_eq!(step, matrix(vec![one("goes on", &[(60, 2.0)]), one("ended", &[(60, 3.0)])]));
        let wanted =
            QueryValue::Vector(vec![one("goes on", &[(171, 4.0)]), one("new", &[(171, 7.0)])]);
        assert_eq!(moment.value, wanted);
    }
}
