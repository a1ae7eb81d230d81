use strata_view::{PageId, PageRequest, rooms};
fn main() {
    for page in std::env::args().skip(1) {
        let id = PageId::ALL.into_iter().find(|p| p.name() == page).unwrap();
        let request = PageRequest::new(id);
        let ask = rooms::ask(&request, 1_700_000_000_000).unwrap();
        let plan = strata_world::plan(&ask);
        println!("== {page}: {}", plan.queries.len());
        for q in plan.queries {
            println!("{} {} {}", q.key, q.range, q.text);
        }
    }
}
