//! The oddities that a drawn scenario can have, which of them exclude each other, and which are turned off for now.

use std::fmt;

/// An oddity. The order is that in which oddities are put into a scenario: tables before policies before phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Shape {
    SeveralTables,
    OddTableName,
    AliasTableName,
    ExcludedTable,
    OddColumnNames,
    TrueColumn,
    Integers,
    Reals,
    NegativeZero,
    Texts,
    NulText,
    NotUtf8,
    Blobs,
    Mixed,
    Large,
    Bound,
    OddDefaults,
    KeyBlob,
    KeyUntyped,
    KeyUntypedNumber,
    KeyUntypedTwins,
    KeyReal,
    KeyNumeric,
    KeyNocase,
    KeyRtrim,
    KeyIntegerText,
    KeyIntegers,
    KeyTexts,
    KeyClause,
    Strict,
    WithoutRowid,
    NotNullDefault,
    Unique,
    CheckConstraint,
    Index,
    OddIndex,
    View,
    Virtual,
    Stored,
    TriggerSameRow,
    TriggerOtherTable,
    ForeignKey,
    Wide,
    VeryWide,
    PolicyOwn,
    PolicySharedRead,
    PolicyWriteOnly,
    PolicyTeam,
    PolicyPublic,
    Series,
    Big,
    UpdateAll,
    UpdateRows,
    UpdateToSame,
    DeleteAll,
    DeleteSome,
    DeleteRows,
    KeyChange,
    ReplaceUnique,
    Hot,
    HotDelete,
    Upsert,
    Replace,
    Ignore,
    HostileInsert,
    HostileTakeover,
    HostileDelete,
    RowsMove,
    SendOnly,
    ReceiveOnly,
    SyncCall,
    CheckCall,
    Quiet,
    UntilRows,
    Waits,
    Barrier,
    Batch,
    Each,
    Repeat,
    When,
    SeveralSends,
    NoSync,
    Statements,
    Teardown,
    PerPhase,
    PerRun,
    Pragmas,
    HubOptions,
    Bootstrap,
    Query,
}

impl Shape {
    /// All oddities, in the order of their declaration.
    pub(crate) const ALL: [Self; 90] = [
        Self::SeveralTables,
        Self::OddTableName,
        Self::AliasTableName,
        Self::ExcludedTable,
        Self::OddColumnNames,
        Self::TrueColumn,
        Self::Integers,
        Self::Reals,
        Self::NegativeZero,
        Self::Texts,
        Self::NulText,
        Self::NotUtf8,
        Self::Blobs,
        Self::Mixed,
        Self::Large,
        Self::Bound,
        Self::OddDefaults,
        Self::KeyBlob,
        Self::KeyUntyped,
        Self::KeyUntypedNumber,
        Self::KeyUntypedTwins,
        Self::KeyReal,
        Self::KeyNumeric,
        Self::KeyNocase,
        Self::KeyRtrim,
        Self::KeyIntegerText,
        Self::KeyIntegers,
        Self::KeyTexts,
        Self::KeyClause,
        Self::Strict,
        Self::WithoutRowid,
        Self::NotNullDefault,
        Self::Unique,
        Self::CheckConstraint,
        Self::Index,
        Self::OddIndex,
        Self::View,
        Self::Virtual,
        Self::Stored,
        Self::TriggerSameRow,
        Self::TriggerOtherTable,
        Self::ForeignKey,
        Self::Wide,
        Self::VeryWide,
        Self::PolicyOwn,
        Self::PolicySharedRead,
        Self::PolicyWriteOnly,
        Self::PolicyTeam,
        Self::PolicyPublic,
        Self::Series,
        Self::Big,
        Self::UpdateAll,
        Self::UpdateRows,
        Self::UpdateToSame,
        Self::DeleteAll,
        Self::DeleteSome,
        Self::DeleteRows,
        Self::KeyChange,
        Self::ReplaceUnique,
        Self::Hot,
        Self::HotDelete,
        Self::Upsert,
        Self::Replace,
        Self::Ignore,
        Self::HostileInsert,
        Self::HostileTakeover,
        Self::HostileDelete,
        Self::RowsMove,
        Self::SendOnly,
        Self::ReceiveOnly,
        Self::SyncCall,
        Self::CheckCall,
        Self::Quiet,
        Self::UntilRows,
        Self::Waits,
        Self::Barrier,
        Self::Batch,
        Self::Each,
        Self::Repeat,
        Self::When,
        Self::SeveralSends,
        Self::NoSync,
        Self::Statements,
        Self::Teardown,
        Self::PerPhase,
        Self::PerRun,
        Self::Pragmas,
        Self::HubOptions,
        Self::Bootstrap,
        Self::Query,
    ];

    /// What only one oddity of a scenario can decide; none for an oddity that goes with all others.
    pub(super) fn slot(self) -> Option<&'static str> {
        match self {
            Self::OddTableName | Self::AliasTableName | Self::ExcludedTable => Some("name"),
            Self::KeyBlob
            | Self::KeyUntyped
            | Self::KeyUntypedNumber
            | Self::KeyUntypedTwins
            | Self::KeyReal
            | Self::KeyNumeric
            | Self::KeyNocase
            | Self::KeyRtrim
            | Self::KeyIntegerText
            | Self::KeyIntegers
            | Self::KeyTexts => Some("key"),
            // A row that changes its key keeps its unique values, so old and new row would meet.
            Self::Unique | Self::OddIndex | Self::KeyChange | Self::ReplaceUnique => Some("unique"),
            Self::Wide | Self::VeryWide => Some("width"),
            Self::PolicyOwn
            | Self::PolicySharedRead
            | Self::PolicyWriteOnly
            | Self::PolicyTeam
            | Self::PolicyPublic => Some("policy"),
            // What a user may not write, a trigger of that user must not write either.
            // A row that moved to another team is no longer its writer's alone.
            Self::TriggerOtherTable
            | Self::HostileInsert
            | Self::HostileTakeover
            | Self::HostileDelete
            | Self::RowsMove => Some("hostile"),
            Self::PerPhase | Self::PerRun => Some("open"),
            _ => None,
        }
    }
}

impl fmt::Display for Shape {
    /// Its name in words: `odd table name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !words.is_empty() {
                words.push(' ');
            }
            words.push(letter.to_ascii_lowercase());
        }
        f.pad(&words)
    }
}
