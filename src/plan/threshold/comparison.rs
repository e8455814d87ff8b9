//! How a measured value is compared with its limit, and which of many durations is.

/// Which of many durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// `pNN`: the duration that so many percent do not exceed.
    Percentile(f64),
    /// The minimum.
    Min,
    /// The maximum.
    Max,
    /// The mean.
    Mean,
}

/// How a measured value is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Operator {
    /// Whether the measured value and the limit stand in this relation.
    pub fn holds(self, measured: f64, limit: f64) -> bool {
        match self {
            Self::Less => measured < limit,
            Self::LessOrEqual => measured <= limit,
            Self::Greater => measured > limit,
            Self::GreaterOrEqual => measured >= limit,
            Self::Equal => (measured - limit).abs() < f64::EPSILON,
            Self::NotEqual => (measured - limit).abs() >= f64::EPSILON,
        }
    }
}
