//! How a signal is asked for: its definition with a template for each thing and one for all.

use std::sync::LazyLock;

use strata_model::Layer;
use strata_model::catalog::Catalog;

use crate::entity::EntityKind;
use crate::signal::{Shape, SignalDef};
use crate::template;
use crate::{l1_gpu, l2_cuda, l3_host, l4_sched, l5_training, l6_inference, l7_genai, l8_cost};

/// How the values of things become the value of all in scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    /// The greatest.
    Max,
    /// The smallest.
    Min,
    Sum,
    Mean,
    /// A template of its own, where folding the things would be wrong (ratios, quantiles).
    Text(&'static str),
}

/// A signal before its inputs are read off its templates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) id: &'static str,
    pub(crate) shape: Shape,
    pub(crate) unit: &'static str,
    pub(crate) definition: &'static str,
    pub(crate) formula: &'static str,
    pub(crate) entity: EntityKind,
    /// For each thing; see [`crate::template`].
    pub(crate) each: &'static str,
    pub(crate) whole: Whole,
    /// Why there may be no number although all inputs are there.
    pub(crate) undefined: &'static str,
    /// What to say instead when no source gives the inputs.
    pub(crate) absent: Option<&'static str>,
    /// Whether things of one kind are expected to be alike, so that one apart is worth a mark.
    pub(crate) peers: bool,
}

impl Recipe {
    /// A number of each thing of a kind; of all, the greatest.
    pub(crate) const fn new(
        entity: EntityKind,
        id: &'static str,
        unit: &'static str,
        each: &'static str,
    ) -> Self {
        Self {
            id,
            shape: Shape::Number,
            unit,
            definition: "",
            formula: "",
            entity,
            each,
            whole: Whole::Max,
            undefined: "the inputs are there and give no number",
            absent: None,
            peers: true,
        }
    }

    /// What it is, with the source of the formula, and the formula.
    pub(crate) const fn means(mut self, definition: &'static str, formula: &'static str) -> Self {
        self.definition = definition;
        self.formula = formula;
        self
    }

    pub(crate) const fn whole(mut self, whole: Whole) -> Self {
        self.whole = whole;
        self
    }

    pub(crate) const fn undefined(mut self, why: &'static str) -> Self {
        self.undefined = why;
        self
    }

    pub(crate) const fn absent(mut self, why: &'static str) -> Self {
        self.absent = Some(why);
        self
    }

    /// Things differ by nature: no marks.
    pub(crate) const fn unlike(mut self) -> Self {
        self.peers = false;
        self
    }

    /// Buckets instead of a number.
    pub(crate) const fn spread(mut self) -> Self {
        self.shape = Shape::Spread;
        self
    }

    /// The template for all in scope.
    pub(crate) fn whole_template(&self) -> String {
        match self.whole {
            Whole::Max => format!("max({})", self.each),
            Whole::Min => format!("min({})", self.each),
            Whole::Sum => format!("sum({})", self.each),
            Whole::Mean => format!("avg({})", self.each),
            Whole::Text(text) => text.to_owned(),
        }
    }
}

struct Table {
    /// In order of id.
    recipes: Vec<&'static Recipe>,
    layers: Vec<Layer>,
    inputs: Vec<Vec<&'static str>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rooms: [(Layer, &[&[Recipe]]); 8] = [
        (Layer::L1Gpu, l1_gpu::RECIPES),
        (Layer::L2Cuda, l2_cuda::RECIPES),
        (Layer::L3Host, l3_host::RECIPES),
        (Layer::L4Sched, l4_sched::RECIPES),
        (Layer::L5Training, l5_training::RECIPES),
        (Layer::L6Inference, l6_inference::RECIPES),
        (Layer::L7Genai, l7_genai::RECIPES),
        (Layer::L8Cost, l8_cost::RECIPES),
    ];
    let mut all: Vec<(Layer, &'static Recipe)> = Vec::new();
    for (layer, files) in rooms {
        all.extend(files.iter().flat_map(|file| file.iter()).map(|recipe| (layer, recipe)));
    }
    all.sort_by_key(|(_, recipe)| recipe.id);
    Table {
        recipes: all.iter().map(|(_, recipe)| *recipe).collect(),
        layers: all.iter().map(|(layer, _)| *layer).collect(),
        inputs: all.iter().map(|(_, recipe)| inputs_of(recipe)).collect(),
    }
});

static DEFS: LazyLock<Vec<SignalDef>> = LazyLock::new(|| {
    let table = &*TABLE;
    let rows = table.recipes.iter().zip(&table.layers).zip(&table.inputs);
    let defs = rows.map(|((recipe, layer), inputs)| SignalDef {
        id: recipe.id,
        layer: *layer,
        shape: recipe.shape,
        unit: recipe.unit,
        definition: recipe.definition,
        formula: recipe.formula,
        inputs,
        entity: recipe.entity,
    });
    defs.collect()
});

/// Dotted names of the metrics in both templates, in order of first mention.
fn inputs_of(recipe: &Recipe) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    let whole = recipe.whole_template();
    for name in template::metrics_of(recipe.each).chain(template::metrics_of(&whole)) {
        // A name that the catalog lacks is a mistake that a test finds.
        let Some(metric) = Catalog::builtin().metric(name) else { continue };
        if !found.contains(&metric.name.as_str()) {
            found.push(&metric.name);
        }
    }
    found
}

/// Every signal of every layer, in order of id.
pub fn signals() -> &'static [SignalDef] {
    &DEFS
}

/// The signal with this id.
pub fn signal_def(id: &str) -> Option<&'static SignalDef> {
    let index = DEFS.binary_search_by(|def| def.id.cmp(id)).ok()?;
    DEFS.get(index)
}

/// The definition of a signal with the recipe it comes from.
pub(crate) fn recipe(id: &str) -> Option<(&'static SignalDef, &'static Recipe)> {
    let index = DEFS.binary_search_by(|def| def.id.cmp(id)).ok()?;
    Some((DEFS.get(index)?, TABLE.recipes.get(index)?))
}

impl SignalDef {
    /// Whether it is the number of events in the event window, of which there are whole ones only.
    pub fn counts_events(&self) -> bool {
        let is_count = self.unit.starts_with('{') && !self.unit.contains('/');
        is_count && recipe(self.id).is_some_and(|(_, recipe)| recipe.each.contains("increase<"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_is_defined_once_and_in_full() {
        let mut last = "";
        for (def, recipe) in signals().iter().zip(&TABLE.recipes) {
            assert!(def.id > last, "{} stands twice", def.id);
            last = def.id;
            let room = format!("l{}.", def.layer as u8 + 1);
            assert!(def.id.starts_with(&room), "{} is in the room {}", def.id, def.layer);
            assert!(def.definition.ends_with('.'), "{}: definition", def.id);
            assert!(!def.formula.is_empty(), "{}: formula", def.id);
            assert!(strata_model::catalog::valid_unit(def.unit), "{}: unit {}", def.id, def.unit);
            assert!(!def.inputs.is_empty(), "{}: inputs", def.id);
            assert_eq!(signal_def(def.id).map(|found| found.id), Some(recipe.id));
        }
        assert!(signals().len() > 100);
        assert!(signal_def("l6.nothing").is_none());
    }

    #[test]
    fn templates_name_only_metrics_of_the_catalog() {
        for recipe in &TABLE.recipes {
            let whole = recipe.whole_template();
            for name in template::metrics_of(recipe.each).chain(template::metrics_of(&whole)) {
                assert!(Catalog::builtin().metric(name).is_some(), "{}: {name}", recipe.id);
            }
        }
    }
}
