" Colours of .seq files: sequence models as equations.
if exists("b:current_syntax")
  finish
endif

syntax keyword seqKind use cell attention norm block model function axis checkpoint
syntax match seqStatement "\<\(state\|weight\|embedding\|constant\|gate\)\ze\s\+\h"
syntax match seqStatement "\<assert\s\+parallel\>"
syntax match seqStatement "^\s*\zs\(prefix\|ignore\|require\)\>"
syntax keyword seqWord repeat in where and or over backward of optional is
syntax match seqCall "\<\h\w*\ze\s*("
syntax match seqNumber "\<\d\+\(\.\d\+\)\?\(e[+-]\?\d\+\)\?\>"
syntax match seqOperator "->\|\.\.\|<=\|>=\|==\|!=\|[-+*/%^<>=|]"
syntax region seqText start=+"+ end=+"+ oneline
syntax match seqComment "//.*$"

highlight default link seqKind Structure
highlight default link seqStatement StorageClass
highlight default link seqWord Keyword
highlight default link seqCall Function
highlight default link seqNumber Number
highlight default link seqOperator Operator
highlight default link seqText String
highlight default link seqComment Comment

setlocal commentstring=//\ %s
let b:current_syntax = "seq"
