use crate::verdict::Run;
pub fn html(_: &Run) -> String {
    String::new()
}
pub fn junit(_: &Run) -> String {
    String::new()
}
pub fn json(run: &Run) -> String {
    serde_json::to_string(run).unwrap_or_default()
}
pub fn table(run: &Run) -> String {
    let mut s = String::new();
    for c in &run.cases {
        s += &format!(
            "{} {} {} {} -> {} {:?}\n  {}\n",
            c.case.target,
            c.case.strategy.name(),
            c.case.method.name(),
            c.case.local_network_access.name(),
            c.outcome.name(),
            c.logs.duration_ms,
            c.evidence.join("\n  ")
        );
    }
    s + &format!(
        "{:?} {:?}\n{:#?} in {}",
        run.conclusion, run.reasons, run.services, run.duration_ms
    )
}
